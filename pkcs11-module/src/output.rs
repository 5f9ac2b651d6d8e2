//! Results of variable length, and the protocol by which their size is asked for.
//!
//! Owns: when a size is answered and when the result is written. Does not know: what the result is.
//! Input and output may be the same buffer, and the length may even stand inside the output: a result is made completely
//! before a byte of the caller's memory is written, except where [`stream`] has found the three to be apart.
//! Rule source: PKCS#11 v2.40, 5.2 (functions returning output in a variable-length buffer).

use ffi_headers::*;
use hsm_core::{Destination, Reason, Reply, Result, Room, SecretBytes};

use crate::memory::{Out, Plain, Raw};

/// The caller's buffer with the place of its length.
struct Output<'call> {
    buffer: Raw<'call, CK_BYTE>,
    length: Out<'call, CK_ULONG>,
    room: Room,
}

/// A caller's buffer into which a result may be written while the input is still read.
struct Direct<'call, 'input> {
    output: Output<'call>,
    input: &'input [u8],
}

impl Destination for Direct<'_, '_> {
    fn room(&self) -> Room {
        self.output.room
    }

    fn lend(&mut self, bytes: usize) -> Option<&mut [u8]> {
        self.output.buffer.lend(bytes, self.input, self.output.length)
    }
}

/// Runs work that may write its result, which may be long, directly into the caller's buffer. Where the buffer overlaps the
/// input or the place of the length, the result is made first and copied, as by [`produce`].
///
/// Our copy of the result is wiped: it may be plaintext.
///
/// # Errors
/// As `produce`.
pub fn stream<'call>(
    buffer: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
    input: impl FnOnce() -> Result<&'call [u8]>,
    work: impl FnOnce(&[u8], &mut dyn Destination) -> Result<Reply>,
) -> Result<()> {
    let output = Output::new(buffer, length)?;
    let input = input()?;
    let mut direct = Direct { output, input };
    let reply = work(input, &mut direct);
    direct.output.finish(reply).map(|data| drop(SecretBytes::new(data)))
}

/// Runs the work that makes a result and hands it over.
///
/// # Errors
/// `ArgumentsBad` for a null length pointer, and the work's.
pub fn produce(
    buffer: Raw<'_, CK_BYTE>,
    length: Raw<'_, CK_ULONG>,
    work: impl FnOnce(Room) -> Result<Reply>,
) -> Result<()> {
    let output = Output::new(buffer, length)?;
    let reply = work(output.room);
    output.finish(reply).map(drop)
}

/// Hands over a list under the same protocol, with the length as a count of elements.
///
/// # Errors
/// `ArgumentsBad` for a null count pointer, `BufferTooSmall`, and the work's.
pub fn list<T: Plain>(
    places: Raw<'_, T>,
    count: Raw<'_, CK_ULONG>,
    work: impl FnOnce() -> Result<Vec<T>>,
) -> Result<()> {
    let count = count.out("pulCount is null")?;
    let room = count.read();
    let values = work()?;
    let need = values.len();
    if places.is_null() {
        count.write(need as CK_ULONG);
        return Ok(());
    }
    if room < need as CK_ULONG {
        count.write(need as CK_ULONG);
        return Err(Reason::BufferTooSmall { need });
    }
    places.array(need as CK_ULONG, need, "the list reaches beyond the memory")?.write(values);
    count.write(need as CK_ULONG);
    Ok(())
}

impl<'call> Output<'call> {
    fn new(buffer: Raw<'call, CK_BYTE>, length: Raw<'call, CK_ULONG>) -> Result<Self> {
        let length = length.out("the pointer to the output length is null")?;
        let room = if buffer.is_null() {
            Room::Ask
        } else {
            // A length that no buffer can have is taken for the largest that one can.
            Room::Bytes(usize::try_from(length.read()).unwrap_or(usize::MAX).min(isize::MAX as usize))
        };
        Ok(Self { buffer, length, room })
    }

    /// Writes what the work made; returns our copy of it.
    fn finish(self, reply: Result<Reply>) -> Result<Vec<u8>> {
        match reply {
            Ok(Reply::Size(size)) => {
                self.length.write(size as CK_ULONG);
                Ok(Vec::new())
            }
            Ok(Reply::Data(data)) => {
                if !matches!(self.room, Room::Bytes(bytes) if data.len() <= bytes) {
                    return Err(Reason::Internal("a result is larger than the room it was made for"));
                }
                self.buffer.fill(&data);
                // The length comes last: where it stands inside the buffer, the caller wants the length.
                self.length.write(data.len() as CK_ULONG);
                Ok(data)
            }
            Ok(Reply::Written(bytes)) => {
                self.length.write(bytes as CK_ULONG);
                Ok(Vec::new())
            }
            Err(Reason::BufferTooSmall { need }) => {
                self.length.write(need as CK_ULONG);
                Err(Reason::BufferTooSmall { need })
            }
            Err(reason) => Err(reason),
        }
    }
}

#[cfg(test)]
#[path = "tests/output.rs"]
mod tests;
