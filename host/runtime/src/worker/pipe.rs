//! The worker's end of the pipe: blocking, since a guest that waits for the host has nothing else to do.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;

use crate::wire::{self, Down, FrameError, HEADER_BYTES, Up};

/// Why nothing more goes through the pipe.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipeError {
    #[error("the host has closed the pipe")]
    Closed,
    #[error("the host said something that has no place here")]
    Unexpected,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the pipe broke: {0}")]
    Broken(io::Error),
}

impl From<io::Error> for PipeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Broken(error),
        }
    }
}

/// Standard input and output, as frames.
pub(super) struct Pipe {
    from: BufReader<File>,
    to: File,
}

impl Pipe {
    /// Opens it on duplicates of the descriptors, beside the buffers of `std::io`.
    pub(super) fn open() -> io::Result<Self> {
        let from = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::between(from, to))
    }

    /// The pipe between two files.
    pub(super) fn between(from: File, to: File) -> Self {
        Self { from: BufReader::new(from), to }
    }

    /// Sends a message, and gives its bytes.
    pub(super) fn send(&mut self, message: &Up) -> Result<usize, PipeError> {
        let frame = wire::frame(message)?;
        self.to.write_all(&frame)?;
        Ok(frame.len())
    }

    pub(super) fn receive(&mut self) -> Result<Down, PipeError> {
        let mut header = [0; HEADER_BYTES];
        self.from.read_exact(&mut header)?;
        let mut body = vec![0; wire::body_bytes::<Down>(header)?];
        self.from.read_exact(&mut body)?;
        Ok(wire::message(&body)?)
    }
}
