//! The load: keep-alive connections that post prepared bodies, one after the other each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) answered: usize,
    pub(crate) refused: usize,
    pub(crate) took: Duration,
}

/// Posts every body once over `connections`.
pub(crate) fn post_all(
    address: &str,
    bodies: &Arc<Vec<Vec<u8>>>,
    connections: usize,
) -> anyhow::Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..connections {
            tasks.push(tokio::spawn(connection(address.to_owned(), bodies.clone(), next.clone())));
        }
        let (mut answered, mut refused) = (0, 0);
        for task in tasks {
            let (good, bad) = task.await??;
            answered += good;
            refused += bad;
        }
        Ok(Load { answered, refused, took: begun.elapsed() })
    })
}

/// The body as one HTTP/1.1 request.
pub(crate) fn request(body: &str) -> Vec<u8> {
    format!(
        "POST /pubsub/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn connection(
    address: String,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
) -> anyhow::Result<(usize, usize)> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut good, mut bad) = (0, 0);
    let mut answer = vec![0; 4096];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        stream.write_all(request).await?;
        let mut read = 0;
        // Answers have no body: they end with the first empty line.
        while !answer[..read].windows(4).any(|window| window == b"\r\n\r\n") {
            let more = stream.read(&mut answer[read..]).await?;
            anyhow::ensure!(more > 0, "the server closed the connection");
            read += more;
        }
        let status = answer.get(9..12).context("no status line")?;
        if status == b"204" { good += 1 } else { bad += 1 }
    }
    Ok((good, bad))
}
