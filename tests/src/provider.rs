//! A provider of text messages that a test listens in on: an HTTP server that keeps what came, and answers as it is told.

use anyhow::Result;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Larger than any text.
const MOST_BYTES: usize = 64 * 1024;
/// What it answers unless told otherwise.
const TAKEN: u16 = 200;

/// A request that came.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Method and path.
    pub what: String,
    /// By lower-case names.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Whether a request is answered with another status: once for each that is returned.
type Answers = VecDeque<(String, u16)>;

/// The server. It ends with the test's runtime.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Where it listens.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Provider {
    /// Listens on a free port.
    ///
    /// # Errors
    /// The system's.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = Self {
            url: format!("http://{}/send", listener.local_addr()?),
            asked: Arc::default(),
            answers: Arc::default(),
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                // A peer that breaks off has said nothing.
                tokio::spawn(async move { drop(provider.serve(stream).await) });
            }
        });
        Ok(provider)
    }

    /// The next request with `words` in its body is answered with this status; further calls queue up.
    pub fn answer(&self, words: &str, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push_back((words.to_owned(), status));
    }

    /// From now on everything is taken.
    pub fn take_all(&self) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.clear();
    }

    /// All that came with `words` in its body.
    pub fn asked(&self, words: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let with_words = asked.iter().filter(|asked| asked.text().contains(words));
        with_words.cloned().collect()
    }

    async fn serve(&self, stream: TcpStream) -> Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let asked = read(&mut stream).await?;
            let status = self.status(&asked.text());
            self.asked
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(asked);
            let answer = format!("HTTP/1.1 {status} Said\r\nretry-after: 0\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    fn status(&self, text: &str) -> u16 {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let told = answers.iter().position(|(words, _)| text.contains(words));
        told.and_then(|at| answers.remove(at))
            .map_or(TAKEN, |(_, status)| status)
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Result<Asked> {
    let mut asked = Asked::default();
    loop {
        let mut line = String::new();
        anyhow::ensure!(stream.read_line(&mut line).await? > 0, "the peer has gone");
        let line = line.trim_end();
        if asked.what.is_empty() {
            asked.what = line.trim_end_matches(" HTTP/1.1").to_owned();
        } else if let Some((name, value)) = line.split_once(':') {
            asked
                .headers
                .insert(name.to_ascii_lowercase(), value.trim().to_owned());
        } else {
            break;
        }
    }
    let length = asked.header("content-length").parse::<usize>()?;
    asked.body = vec![0; length.min(MOST_BYTES)];
    stream.read_exact(&mut asked.body).await?;
    Ok(asked)
}
