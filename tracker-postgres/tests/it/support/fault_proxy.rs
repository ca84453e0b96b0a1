//! A proxy on loopback that counts the statements which clients send to a server, and makes a fault at some of them.
#![allow(dead_code, reason = "tests use what they need")]

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// What happens at a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server gets everything before the statement. When it has worked on that and ended its side, the connection breaks.
    Cut,
    /// As [`Fault::Cut`], and the client gets no answer to what it has sent with the statement.
    SilentCut,
    /// The connection breaks at once. The server may still work on what was sent before the statement.
    CutAtOnce,
    /// The server refuses the statement with this code.
    Refuse(&'static str),
    /// The server ends the connection with this code.
    End(&'static str),
}

/// Faults at the statements with the numbers `first`, `first + every`, ….
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub fault: Fault,
    pub first: u64,
    pub every: u64,
}

#[derive(Default)]
struct Shared {
    faults: Mutex<Option<Faults>>,
    /// Faults that may still be made; `None` for any number.
    left: Mutex<Option<u64>>,
    seen: AtomicU64,
    made: AtomicU64,
}

/// A proxy before a server on loopback.
pub(crate) struct FaultProxy {
    pub port: u16,
    shared: Arc<Shared>,
}

impl FaultProxy {
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let shared = Arc::clone(&of_thread);
                thread::spawn(move || pass(client, server, &shared));
            }
        });
        Self { port, shared }
    }

    /// Makes faults from now on, or none.
    pub(crate) fn set(&self, faults: Option<Faults>) {
        self.shared.seen.store(0, Ordering::SeqCst);
        *self.shared.faults.lock().unwrap() = faults;
    }

    /// Makes at most so many of the faults from now on.
    pub(crate) fn allow(&self, faults: u64) {
        *self.shared.left.lock().unwrap() = Some(faults);
    }

    /// Number of faults so far.
    pub(crate) fn made(&self) -> u64 {
        self.shared.made.load(Ordering::SeqCst)
    }

    /// Number of statements since the last change of the faults.
    pub(crate) fn seen(&self) -> u64 {
        self.shared.seen.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Counts a message of a client, if it is one that the server executes, and returns the fault at it.
    fn fault_at(&self, tag: u8) -> Option<Fault> {
        // Execute, a script, and the end of a part.
        if !b"EQS".contains(&tag) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let faults = (*self.faults.lock().unwrap())?;
        let is_hit = number >= faults.first && (number - faults.first).is_multiple_of(faults.every);
        // A server refuses neither the end of a part nor the begin of a transaction.
        let is_possible = tag == b'E' || !matches!(faults.fault, Fault::Refuse(_));
        let fault = (is_hit && is_possible).then_some(faults.fault)?;
        if let Some(left) = &mut *self.left.lock().unwrap() {
            *left = left.checked_sub(1)?;
        }
        self.made.fetch_add(1, Ordering::SeqCst);
        Some(fault)
    }
}

/// The length of the first message in a buffer, once it is complete. The first message of a connection has no tag.
fn message_length(buffer: &[u8], tagged: bool) -> Option<usize> {
    let start = usize::from(tagged);
    let field = buffer.get(start..start + 4)?;
    let length = start + u32::from_be_bytes(field.try_into().unwrap()) as usize;
    (buffer.len() >= length).then_some(length)
}

/// The code with which a server refuses [`WRONG`].
const SYNTAX_ERROR: &[u8] = b"C42601\0";
/// Is no statement.
const WRONG: &str = "fault";

/// A message that the server refuses at once, in place of another one.
fn refused_message() -> Vec<u8> {
    framed(b'P', &[b"\0", WRONG.as_bytes(), b"\0\0\0"].concat())
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// What a connection knows of its fault.
#[derive(Default)]
struct Passing {
    /// The client gets no answer any more.
    is_silent: AtomicBool,
    /// The fault that ends the connection.
    end: Mutex<Option<Fault>>,
    /// The code of the next refusal.
    code: Mutex<Option<&'static str>>,
}

/// Passes on what both sides send.
fn pass(mut client: TcpStream, mut server: TcpStream, shared: &Shared) {
    let passing = Arc::new(Passing::default());
    let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let of_thread = Arc::clone(&passing);
    let answers = thread::spawn(move || pass_answers(from_server, to_client, &of_thread));
    let (mut buffer, mut chunk, mut tagged) = (Vec::new(), vec![0; 64 << 10], false);
    'connection: while let Ok(count @ 1..) = client.read(&mut chunk) {
        buffer.extend_from_slice(&chunk[..count]);
        let mut out = Vec::new();
        while let Some(length) = message_length(&buffer, tagged) {
            let message: Vec<u8> = buffer.drain(..length).collect();
            match shared.fault_at(message[0]).filter(|_| tagged) {
                None => out.extend(message),
                Some(Fault::Refuse(code)) => {
                    *passing.code.lock().unwrap() = Some(code);
                    out.extend(refused_message());
                }
                Some(fault) => {
                    // The server sends the answers that it has.
                    out.extend(framed(b'H', b""));
                    passing.is_silent.store(fault == Fault::SilentCut, Ordering::SeqCst);
                    *passing.end.lock().unwrap() = Some(fault);
                    drop(server.write_all(&out));
                    if fault == Fault::CutAtOnce {
                        drop(client.shutdown(Shutdown::Both));
                    }
                    break 'connection;
                }
            }
            tagged = true;
        }
        if server.write_all(&out).is_err() {
            break;
        }
    }
    // The server works on what it has got, and ends its side then.
    drop(server.shutdown(Shutdown::Write));
    drop(answers.join());
}

fn pass_answers(mut server: TcpStream, mut client: TcpStream, passing: &Passing) {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(count @ 1..) = server.read(&mut chunk) {
        buffer.extend_from_slice(&chunk[..count]);
        let mut out = Vec::new();
        while let Some(length) = message_length(&buffer, true) {
            let mut message: Vec<u8> = buffer.drain(..length).collect();
            if message[0] == b'E' {
                replace_code(&mut message, passing);
            }
            out.extend(message);
        }
        // What is not passed on is read nevertheless, so that the server does not wait.
        if !passing.is_silent.load(Ordering::SeqCst) && client.write_all(&out).is_err() {
            passing.is_silent.store(true, Ordering::SeqCst);
        }
    }
    if let Some(Fault::End(code)) = *passing.end.lock().unwrap() {
        let body = format!("SFATAL\0VFATAL\0C{code}\0ended by the test\0\0");
        drop(client.write_all(&framed(b'E', body.as_bytes())));
    }
    drop(client.shutdown(Shutdown::Both));
}

fn replace_code(message: &mut [u8], passing: &Passing) {
    let at = message.windows(SYNTAX_ERROR.len()).position(|window| window == SYNTAX_ERROR);
    if let Some(at) = at
        && let Some(code) = passing.code.lock().unwrap().take()
    {
        message[at + 1..at + 6].copy_from_slice(code.as_bytes());
    }
}
