//! Encrypted payloads: the text of letters cannot be read without the key, and the file can still be searched, counted and operated.
//!
//! XChaCha20-Poly1305 with a random nonce of 24 bytes for each payload, so that no counter has to survive a crash. The name of the codec names the
//! key. Ids, index values, unique keys, error texts and notes are not encrypted: here the recipient is an index, and the text is not.
//!
//! Run it with `cargo run --example encrypted`; it works in a folder of its own.

use std::{error::Error, fs, io};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Key, KeyInit},
};
use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, TrackedTask, Tracker, file::PayloadCodec};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Debug)]
#[task(name = "letter", status = Status)]
struct Letter {
    #[task(id)]
    number: u32,
    /// Not encrypted: an index is searched by its value.
    #[task(index)]
    to: String,
    text: String,
}

/// Encrypts with one key.
struct Encryption {
    name: &'static str,
    cipher: XChaCha20Poly1305,
}

/// Bytes of a nonce, which stands before the encrypted payload.
const NONCE: usize = 24;

impl Encryption {
    /// In a program, the key comes from the system's key store, never from the source.
    fn new(name: &'static str, key: [u8; 32]) -> Self {
        Self { name, cipher: XChaCha20Poly1305::new(&Key::<XChaCha20Poly1305>::from(key)) }
    }
}

impl PayloadCodec for Encryption {
    fn name(&self) -> &str {
        self.name
    }

    fn encode(&self, payload: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let nonce = XNonce::generate();
        let encrypted = self.cipher.encrypt(&nonce, payload).map_err(|_| "the payload is too large")?;
        Ok([nonce.as_slice(), &encrypted].concat())
    }

    fn decode(&self, encoded: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let (nonce, encrypted) = encoded.split_first_chunk::<NONCE>().ok_or("the nonce is cut off")?;
        let payload = self.cipher.decrypt(&XNonce::from(*nonce), encrypted);
        Ok(payload.map_err(|_| "it was encrypted with another key, or changed")?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("letters.redb");
    let letter = |number, to: &str, text: &str| Letter { number, to: to.to_owned(), text: text.to_owned() };

    let tracker = Tracker::options().payload_codec(Encryption::new("key 1", [1; 32])).open(&path)?;
    let letters = tracker.tasks::<Letter>()?;
    letters.submit_all([letter(1, "ann", "the treasure is below the oak"), letter(2, "bob", "do not tell ann")])?;
    let summary = letters.worker().stop_after_failures(1).run(|letter: &mut Execution<Letter>| {
        println!("sends to {}: {}", letter.to, letter.text);
        if letter.to == "ann" { Ok(()) } else { Err(io::Error::other("the address is unknown")) }
    })?;
    println!("{} sent, {} failed", summary.succeeded, summary.failed);
    drop((letters, tracker));

    let file = fs::read(&path)?;
    let holds = |text: &str| file.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    println!("the file holds the text: {}, the recipient: {}", holds("treasure"), holds("bob"));

    println!("without the key:");
    let tracker = Tracker::inspect(&path)?;
    for record in tracker.untyped("letter")?.query().index("to", "bob").fetch()? {
        let error = &record.history[0].failure.as_ref().ok_or("it has no failure")?.error;
        println!("letter {} is {}: {error}", record.id, record.status.name);
        println!("its payload is encoded with {:?}", record.task.codec_name().unwrap_or("nothing"));
    }
    drop(tracker);

    println!("with another key of the same name:");
    let tracker = Tracker::options().payload_codec(Encryption::new("key 1", [9; 32])).open(&path)?;
    match tracker.tasks::<Letter>()?.get(2_u32) {
        Ok(_) => return Err("the other key decrypts it".into()),
        Err(error) => println!("{error}"),
    }
    drop(tracker);

    println!("after a change of the key:");
    let (old, new) = (Encryption::new("key 1", [1; 32]), Encryption::new("key 2", [2; 32]));
    let tracker = Tracker::options().payload_codec(old).payload_codec(new).open(&path)?;
    let letters = tracker.tasks::<Letter>()?;
    letters.update(2_u32, |letter| letter.text.push('!'))?;
    println!("{}", letters.get(2_u32)?.ok_or("it is not stored")?.task.text);
    let stored = tracker.untyped("letter")?.get(2_u32)?.ok_or("it is not stored")?.task;
    println!("its payload is encoded with {:?}", stored.codec_name().unwrap_or("nothing"));
    Ok(())
}
