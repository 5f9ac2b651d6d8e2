//! Reads a small secret from a file descriptor that the parent process left open.
//!
//! Owns: the way from a number to bytes without taking the descriptor over. Does not know: what the bytes are.
//! Called for `device_key = "fd:N"` and for PINs that the command takes from a descriptor.

use hsm_crypto::SecretBytes;
use std::fs::File;
use std::io::{self, Read};

/// Reads everything behind descriptor `number`, at most `bytes_max` bytes.
///
/// The descriptor is opened anew through `/dev/fd`, so it stays open for its owner, and a regular file is
/// read from its beginning however often it is asked for. A pipe gives its content once.
///
/// # Errors
/// The system's when there is no such descriptor or it cannot be read, `InvalidData` above `bytes_max`.
pub fn read(number: u32, bytes_max: usize) -> io::Result<SecretBytes> {
    read_all(File::open(format!("/dev/fd/{number}"))?, bytes_max)
}

/// Reads a file, a pipe or a terminal to its end, at most `bytes_max` bytes, without leaving copies in memory.
///
/// # Errors
/// The system's, `InvalidData` above `bytes_max`.
pub fn read_all(mut from: impl Read, bytes_max: usize) -> io::Result<SecretBytes> {
    // One byte more than allowed tells "too long", and a buffer of full size never moves, so nothing is left behind.
    let mut buffer = SecretBytes::zeroed(bytes_max + 1);
    let mut filled = 0;
    loop {
        match from.read(&mut buffer.expose_mut()[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {bytes_max} bytes")));
    }
    buffer.truncate(filled);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    fn descriptor_of(content: &[u8]) -> (File, u32) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let number = u32::try_from(file.as_raw_fd()).unwrap();
        (file, number)
    }

    #[test]
    fn a_file_behind_a_descriptor_can_be_read_again_and_again() {
        let (_file, number) = descriptor_of(b"0123456789");
        assert!(read(number, 10).unwrap().ct_eq(b"0123456789"));
        assert!(read(number, 10).unwrap().ct_eq(b"0123456789"));
    }

    #[test]
    fn a_pipe_gives_its_content_and_then_nothing() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"secret").unwrap();
        drop(writer);
        let number = u32::try_from(reader.as_raw_fd()).unwrap();
        assert!(read(number, 100).unwrap().ct_eq(b"secret"));
        assert!(read(number, 100).unwrap().is_empty());
    }

    #[test]
    fn more_than_allowed_is_refused() {
        let (_file, number) = descriptor_of(b"0123456789");
        assert_eq!(read(number, 9).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_closed_descriptor_is_an_error() {
        assert_eq!(read(987_654, 9).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
