//! Open files as datagrams, on Linux.

use std::{
    io::{self, Write as _},
    mem::MaybeUninit,
    os::fd::{AsFd as _, BorrowedFd},
};

use rustix::{
    fs::{MemfdFlags, SealFlags},
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags},
};

use super::datagrams::{Datagrams, Socket};
use crate::clock::Deadline;

impl Datagrams {
    /// Sends `bytes`, however many they are, as a file in memory that nobody can change any more: a datagram that
    /// is empty, with the file's descriptor beside it.
    pub(crate) fn send_as_file(
        &mut self,
        name: &str,
        bytes: &[u8],
        deadline: &Deadline,
    ) -> io::Result<()> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = std::fs::File::from(rustix::fs::memfd_create(name, flags)?);
        file.write_all(bytes)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        self.by_socket(deadline, |socket| pass(socket, file.as_fd()))
    }
}

fn pass(socket: &Socket, file: BorrowedFd<'_>) -> io::Result<()> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let files = [file];
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("there is no room for a descriptor"));
    }
    let Socket::Unix(socket) = socket else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "only Unix sockets pass files"));
    };
    rustix::net::sendmsg(socket, &[], &mut control, SendFlags::empty())?;
    Ok(())
}
