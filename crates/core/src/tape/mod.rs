//! A pass of a model over shapes alone: what it would take in memory and arithmetic, without doing it.
//!
//! Models and layers record themselves beside their `forward`, and each kernel says in its own file what it keeps for its backward pass,
//! as operations. From that list follow the parameters, the floating-point operations, and (`peak`) the most memory that lives at a
//! time. Numbers are values of four bytes; the kernels are those of the CPU, where f32 is computed in. Sums stop at the largest number, so
//! that sizes which no machine holds are refused and not wrapped. Knows nothing of allocators, optimizers and programs.

mod peak;

pub use peak::Peak;

/// A tensor of a pass: `rows` of `width` values, the last axis and all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    id: usize,
    pub(crate) rows: u64,
    pub(crate) width: u64,
}

impl Value {
    pub(crate) fn len(self) -> u64 {
        self.rows.saturating_mul(self.width)
    }
}

/// A parameter of the model, which may be used by several operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    id: usize,
    pub(crate) len: u64,
}

/// What an operation's inputs get for gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Gradient {
    /// New buffers.
    #[default]
    New,
    /// The gradient of the output itself, shared.
    Passed,
    /// What was kept of the input, overwritten.
    Kept,
}

/// One step of a pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operation {
    pub(crate) inputs: Vec<Value>,
    pub(crate) parameters: Vec<Parameter>,
    /// Values that the backward pass reads: inputs, the output, constants.
    pub(crate) keeps: Vec<Value>,
    /// Values that the backward pass reads and no other operation sees, such as statistics of rows.
    pub(crate) keeps_more: u64,
    /// Working memory of the forward and of the backward pass, beside inputs, outputs and gradients.
    pub(crate) scratch: [u64; 2],
    /// Whether the output is written over an input that nobody else holds.
    pub(crate) in_place: bool,
    pub(crate) gradient: Gradient,
    /// Additions and multiplications of the forward pass's matrix products; the backward pass has twice as many.
    pub(crate) flops: u64,
}

/// Whether a pass is followed by a backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Forward and backward, with dropout.
    Training,
    /// Forward alone.
    Inference,
}

/// The operations of one pass over `batch` rows of `seq` tokens.
#[derive(Clone, Debug)]
pub struct Tape {
    purpose: Purpose,
    batch: u64,
    seq: u64,
    /// Values, each with whether it is there from the beginning.
    constants: Vec<Value>,
    n_values: usize,
    parameters: Vec<Parameter>,
    /// With the outputs.
    operations: Vec<(Operation, Value)>,
}

impl Tape {
    /// An empty tape.
    pub fn new(purpose: Purpose, batch: usize, seq: usize) -> Self {
        Self {
            purpose,
            batch: batch as u64,
            seq: seq as u64,
            constants: Vec::new(),
            n_values: 0,
            parameters: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// A parameter of `len` values.
    pub fn parameter(&mut self, len: usize) -> Parameter {
        let id = self.parameters.len();
        let parameter = Parameter {
            id,
            len: len as u64,
        };
        self.parameters.push(parameter);
        parameter
    }

    /// A tensor that is there from the beginning and gets no gradient.
    pub(crate) fn constant(&mut self, rows: u64, width: u64) -> Value {
        let value = self.value(rows, width);
        self.constants.push(value);
        value
    }

    /// Appends an operation whose output has this shape.
    pub(crate) fn push(&mut self, operation: Operation, rows: u64, width: u64) -> Value {
        let output = self.value(rows, width);
        self.operations.push((operation, output));
        output
    }

    /// [`push`](Self::push) of an operation that keeps its own output.
    pub(crate) fn push_kept(&mut self, operation: Operation, rows: u64, width: u64) -> Value {
        let output = self.push(operation, rows, width);
        if let Some((operation, _)) = self.operations.last_mut() {
            operation.keeps.push(output);
        }
        output
    }

    /// `a + b`, where `b` may have fewer rows, which repeat.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        let operation = Operation {
            inputs: vec![a, b],
            in_place: true,
            gradient: Gradient::Passed,
            ..Operation::default()
        };
        self.push(operation, a.rows, a.width)
    }

    fn value(&mut self, rows: u64, width: u64) -> Value {
        let id = self.n_values;
        self.n_values += 1;
        Value { id, rows, width }
    }

    /// Whether a backward pass follows.
    pub(crate) fn is_training(&self) -> bool {
        self.purpose == Purpose::Training
    }

    /// Rows of the batch.
    pub(crate) fn batch(&self) -> u64 {
        self.batch
    }

    /// Tokens of a row.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Tokens of the pass.
    pub fn tokens(&self) -> u64 {
        self.batch.saturating_mul(self.seq)
    }

    /// Parameters that were recorded, shared ones once.
    pub fn parameter_count(&self) -> u64 {
        let lens = self.parameters.iter().map(|parameter| parameter.len);
        lens.fold(0, u64::saturating_add)
    }

    /// The largest parameter.
    pub fn largest_parameter(&self) -> u64 {
        let lens = self.parameters.iter().map(|parameter| parameter.len);
        lens.max().unwrap_or(0)
    }

    /// Floating-point operations of the matrix products, a multiplication and an addition being two: forward, and in training backward,
    /// which has two products for each of them. What is computed again or in between is not counted, as is usual (Chowdhery et al. 2022,
    /// "PaLM", appendix B), but of attention only the pairs that are seen are.
    pub fn flops(&self) -> u64 {
        let forward = self.operations.iter().map(|(operation, _)| operation.flops);
        let passes = if self.is_training() { 3 } else { 1 };
        forward.fold(0, u64::saturating_add).saturating_mul(passes)
    }
}
