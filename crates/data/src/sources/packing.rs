//! Unpacking of gzip and zstd on the way, told by the first bytes of a file.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const BUFFER: usize = 1 << 16;
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// Frames of zstd to be passed over begin with this, but for the low four bits.
const ZSTD_SKIPPABLE: u32 = 0x184D_2A50;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What the first bytes of a file are.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let skippable = start
            .first_chunk()
            .is_some_and(|first| u32::from_le_bytes(*first) & !0xF == ZSTD_SKIPPABLE);
        if start.starts_with(&GZIP_MAGIC) {
            Some(Self::Gzip)
        } else if start.starts_with(&ZSTD_MAGIC) || skippable {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// The unpacked content. Damage is reported as [`io::ErrorKind::InvalidData`], [`io::ErrorKind::InvalidInput`] or
    /// [`io::ErrorKind::UnexpectedEof`].
    pub(super) fn unpack(self, packed: impl BufRead + Send + 'static) -> Box<dyn BufRead + Send> {
        match self {
            Self::Gzip => Box::new(BufReader::with_capacity(
                BUFFER,
                MultiGzDecoder::new(packed),
            )),
            Self::Zstd => Box::new(BufReader::with_capacity(BUFFER, Zstd::new(packed))),
        }
    }
}

/// Whether an error of a reader of [`Packing::unpack`] means damage; others come from the disk.
pub(super) fn is_damage(error: &io::Error) -> bool {
    [
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::InvalidInput,
        io::ErrorKind::InvalidData,
    ]
    .contains(&error.kind())
}

/// The frames of a zstd file, one after the other, with their checksums compared.
struct Zstd<R> {
    packed: R,
    decoder: FrameDecoder,
    /// Whether a frame is open.
    inside: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(packed: R) -> Self {
        Self {
            packed,
            decoder: FrameDecoder::new(),
            inside: false,
        }
    }

    /// Opens the next frame; false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.packed.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.packed) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let passed = io::copy(&mut (&mut self.packed).take(length), &mut io::sink())?;
                    if passed < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damage(error)),
            }
        }
        Ok(false)
    }

    fn compare_checksums(&self) -> io::Result<()> {
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            return Err(damage("the checksum does not match"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.inside {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.inside = true;
            }
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.packed, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(damage)?;
            }
            let n = self.decoder.read(out)?;
            if n > 0 || out.is_empty() {
                return Ok(n);
            }
            if self.decoder.is_finished() {
                self.compare_checksums()?;
                self.inside = false;
            }
        }
    }
}

fn damage(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn unpack(packed: Vec<u8>) -> io::Result<Vec<u8>> {
        let packing = Packing::of(&packed).ok_or(io::ErrorKind::InvalidData)?;
        let mut text = Vec::new();
        packing
            .unpack(io::Cursor::new(packed))
            .read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn members_and_frames_are_read_one_after_the_other() {
        let mut packed = gzip(b"one ");
        packed.extend(gzip(b""));
        packed.extend(gzip(b"two"));
        assert_eq!(unpack(packed).expect("good gzip"), b"one two");

        let mut packed = vec![0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 7, 7, 7];
        packed.extend(zstd(b"one "));
        packed.extend(zstd(b""));
        packed.extend([0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]);
        packed.extend(zstd(&b"two".repeat(100_000)));
        let expected = [b"one ".to_vec(), b"two".repeat(100_000)].concat();
        assert_eq!(unpack(packed).expect("good zstd"), expected);
    }

    #[test]
    fn a_cut_anywhere_is_damage() {
        let text: Vec<u8> = (0..40_000_u32)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
            .map(|byte| byte & 15)
            .collect();
        for packed in [gzip(&text), zstd(&text)] {
            assert_eq!(unpack(packed.clone()).expect("whole"), text);
            for cut in (4..packed.len())
                .step_by(997)
                .chain(packed.len() - 12..packed.len())
            {
                let error = unpack(packed[..cut].to_vec()).expect_err("cut short");
                assert!(is_damage(&error), "{cut}: {error:?}");
            }
        }
    }

    #[test]
    fn a_wrong_checksum_is_damage() {
        for mut packed in [gzip(b"some text"), zstd(b"some text")] {
            // The length is the last thing in gzip, the checksum the last in zstd.
            let at = packed.len() - if packed[0] == 0x1F { 8 } else { 1 };
            packed[at] ^= 1;
            assert!(is_damage(&unpack(packed).expect_err("a wrong checksum")));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(start in 0_usize..2, bytes in prop::collection::vec(any::<u8>(), 0..300), flip in 0_usize..2000) {
            let mut packed = if start == 0 { ZSTD_MAGIC.to_vec() } else { zstd(b"some text, some more text, some other text") };
            packed.extend(&bytes);
            let at = flip % packed.len();
            packed[at] ^= 1 << (flip % 8);
            let _ = unpack(packed);
        }
    }
}
