//! A small service: clients send a text in a line and get its SHA-256 sum, or a number to ask for later. What was accepted is done,
//! also if the service is killed in between. A handler runs at most four requests at once.
//!
//! Run it with `cargo run --example service`: it serves 200 requests of 20 clients of its own, shuts down, and prints the times to standard
//! error. With `-- 127.0.0.1:7000` it serves until Ctrl-C, for example `nc 127.0.0.1 7000`.

use std::{env, time::Duration};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tracker_core::{TaskStatus, TrackedTask, Tracker, asynchronous::AsyncTasks, events::Waited};
use uuid::Uuid;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "request", status = Status, max_attempts = 3, retention(succeeded = "1d"))]
struct Request {
    #[task(id)]
    number: Uuid,
    text: String,
    sum: Option<String>,
}

/// Answers a line: `get NUMBER` asks for an earlier request, every other line is a new one.
async fn answer(requests: &AsyncTasks<Request>, line: &str) -> anyhow::Result<String> {
    let number = if let Some(number) = line.strip_prefix("get ") {
        number.parse().context("expected a number after \"get\"")?
    } else {
        let number = Uuid::now_v7();
        requests.submit(&Request { number, text: line.to_owned(), sum: None }).await?;
        number
    };
    Ok(match requests.wait(number, Duration::from_secs(2)).await? {
        Waited::Ended(record) => match record.task.sum {
            Some(sum) => sum,
            None => format!("failed: {:?}", record.status),
        },
        Waited::Deleted => "deleted".to_owned(),
        _ => format!("later: get {number}"),
    })
}

async fn serve(requests: AsyncTasks<Request>, stream: TcpStream) -> anyhow::Result<()> {
    let (lines, mut out) = stream.into_split();
    let mut lines = BufReader::new(lines).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = answer(&requests, &line).await.unwrap_or_else(|error| format!("error: {error:#}"));
        out.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Sends ten requests one after the other, and returns how long each took.
async fn client(address: std::net::SocketAddr, client: u32) -> anyhow::Result<Vec<Duration>> {
    let (lines, mut out) = TcpStream::connect(address).await?.into_split();
    let mut lines = BufReader::new(lines).lines();
    let mut times = Vec::new();
    for number in 0..10 {
        let text = format!("text {number} of client {client}");
        let start = Instant::now();
        out.write_all(format!("{text}\n").as_bytes()).await?;
        let sum = lines.next_line().await?.context("the service closed the connection")?;
        times.push(start.elapsed());
        anyhow::ensure!(sum == format!("{:x}", Sha256::digest(&text)), "wrong sum: {sum}");
    }
    Ok(times)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let address = env::args().nth(1);
    let file = if address.is_some() { "requests.redb".into() } else { folder.path().join("requests.redb") };
    let tracker = Tracker::open(file)?;
    let requests = tracker.tasks::<Request>()?;

    let worker = requests.async_worker().concurrency(4).keep_running();
    let worker = tokio::spawn(worker.run(async |request| {
        request.sum = Some(format!("{:x}", Sha256::digest(&request.text)));
        Ok::<_, std::io::Error>(())
    }));
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let local = listener.local_addr()?;
    let acceptor = tokio::spawn({
        let requests = requests.asynchronous();
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(requests.clone(), stream));
            }
        }
    });

    if address.is_some() {
        eprintln!("serving on {local}");
        tokio::signal::ctrl_c().await?;
    } else {
        let clients: Vec<_> = (0..20).map(|number| tokio::spawn(client(local, number))).collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await??);
        }
        times.sort_unstable();
        println!("{} requests answered", times.len());
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        eprintln!("time of a request: p50 {p50:?}, p99 {p99:?}, longest {:?}", times[times.len() - 1]);
    }
    acceptor.abort();
    let shutdown = tracker.asynchronous().shutdown(Duration::from_secs(5)).await?;
    println!("all handlers have returned: {}", shutdown.is_complete());
    println!("{} requests done", worker.await??.succeeded);
    Ok(())
}
