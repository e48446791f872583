"""An event file of scalars, written with the protocol buffers and the record writer of TensorBoard's own package.

Writes `events.out.tfevents.0.llm` for `llm-train`, whose unit test of `metrics/tensorboard.rs` encodes the same three records, and reads
it back with TensorBoard's reader.
"""

from common import output_folder
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

TRAINING = {
    "loss/train": 1.5,
    "training/learning_rate": 0.1,
    "training/grad_norm": 0.75,
    "training/skipped_steps": 0.0,
    "data/tokens": 10.0,
    "data/epoch": 0.5,
    "speed/tokens_per_s": 1000.0,
    "speed/flops_per_s": 2e9,
    "speed/utilisation": 0.25,
    "memory/rss_bytes": float(1 << 20),
}


def event(step, scalars):
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    return Event(wall_time=1.7e9 + step, step=step, summary=Summary(value=values))


def main():
    path = output_folder("train", __doc__) / "events.out.tfevents.0.llm"
    events = [
        Event(wall_time=1.7e9 + 1, file_version="brain.Event:2"),
        event(1, TRAINING),
        event(2, TRAINING),
        event(2, {"loss/validation": 1.5}),
    ]
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for each in events:
            writer.write(each.SerializeToString())
        writer.flush()
    reader = EventAccumulator(str(path))
    reader.Reload()
    assert reader.Tags()["scalars"] == [*TRAINING, "loss/validation"], reader.Tags()


if __name__ == "__main__":
    main()
