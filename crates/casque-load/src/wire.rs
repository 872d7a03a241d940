//! HTTP/1.1 on a kept connection, one request at a time, with as little work as reading an answer takes.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::tally::Fault;
use crate::target::Target;

/// A connection that opens itself again where the server has closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    target: Arc<Target>,
    /// Away while an exchange is under way: one that is given up leaves nothing to go on with.
    stream: Option<Stream>,
    input: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) traffic: Traffic,
}

/// Bytes, and how often a connection was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) opened: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.opened += other.opened;
    }
}

/// The head of an answer; the body is in the connection.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    length: Length,
    keeps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunks,
    UntilClosed,
}

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the server has closed it, or said something unasked, since it was used last.
    fn is_stale(&self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        !matches!(tcp.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

impl Connection {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            stream: None,
            input: Vec::new(),
            body: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    /// Sends a GET and reads the answer whole.
    pub(crate) async fn get(
        &mut self,
        step: &'static str,
        path: &str,
        cookies: Option<&str>,
    ) -> Result<Head, Fault> {
        let mut request = Vec::with_capacity(512);
        request.extend_from_slice(b"GET ");
        request.extend_from_slice(path.as_bytes());
        request.extend_from_slice(self.target.fixed_headers.as_bytes());
        if let Some(cookies) = cookies {
            request.extend_from_slice(b"Cookie: ");
            request.extend_from_slice(cookies.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");

        let mut stream = match self.stream.take() {
            Some(stream) if !stream.is_stale() => stream,
            _ => {
                self.traffic.opened += 1;
                self.target
                    .connect()
                    .await
                    .map_err(|words| Fault::new(step, "connect", words))?
            }
        };
        let head = match &mut stream {
            Stream::Plain(plain) => self.exchange(step, plain, &request).await,
            Stream::Tls(tls) => self.exchange(step, tls, &request).await,
        }?;
        if head.keeps {
            self.stream = Some(stream);
        }
        Ok(head)
    }

    async fn exchange<S>(
        &mut self,
        step: &'static str,
        stream: &mut S,
        request: &[u8],
    ) -> Result<Head, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let broken = |error: std::io::Error| Fault::new(step, "closed", error.to_string());
        stream.write_all(request).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        self.traffic.sent += request.len() as u64;
        self.input.clear();
        self.body.clear();
        let (head, mut at) = loop {
            self.more(step, stream).await?;
            match read_head(&self.input) {
                // What is said before the answer itself.
                Ok(Some((head, length))) if head.status < 200 => {
                    self.input.drain(..length);
                }
                Ok(Some(read)) => break read,
                Ok(None) => {}
                Err(words) => return Err(Fault::new(step, "not_http", words)),
            }
        };
        match head.length {
            Length::Bytes(length) => {
                let length = at.saturating_add(length);
                self.fill(step, stream, length).await?;
                self.body.extend_from_slice(&self.input[at..length]);
            }
            Length::UntilClosed => {
                while self.more(step, stream).await.is_ok() {}
                self.body.extend_from_slice(&self.input[at..]);
            }
            Length::Chunks => loop {
                let parsed = httparse::parse_chunk_size(&self.input[at..]);
                match parsed
                    .map_err(|_| Fault::new(step, "not_http", "a chunk without a length"))?
                {
                    httparse::Status::Partial => self.more(step, stream).await?,
                    httparse::Status::Complete((line, size)) => {
                        let size = usize::try_from(size).unwrap_or(usize::MAX);
                        let start = at + line;
                        let end = start.saturating_add(size);
                        // Its line ends after it; after the last one nobody sends trailers.
                        self.fill(step, stream, end.saturating_add(2)).await?;
                        self.body.extend_from_slice(&self.input[start..end]);
                        at = end + 2;
                        if size == 0 {
                            break;
                        }
                    }
                }
            },
        }
        Ok(head)
    }

    async fn fill<S: AsyncRead + Unpin>(
        &mut self,
        step: &'static str,
        stream: &mut S,
        length: usize,
    ) -> Result<(), Fault> {
        while self.input.len() < length {
            if length > MOST_BYTES {
                return Err(Fault::new(
                    step,
                    "too_large",
                    format!("more than {MOST_BYTES} bytes"),
                ));
            }
            self.more(step, stream).await?;
        }
        Ok(())
    }

    async fn more<S: AsyncRead + Unpin>(
        &mut self,
        step: &'static str,
        stream: &mut S,
    ) -> Result<(), Fault> {
        if self.input.len() > MOST_BYTES {
            return Err(Fault::new(
                step,
                "too_large",
                format!("more than {MOST_BYTES} bytes"),
            ));
        }
        self.input.reserve(4096);
        match stream.read_buf(&mut self.input).await {
            Ok(0) => Err(Fault::new(
                step,
                "closed",
                "the connection was closed before the answer was whole",
            )),
            Ok(read) => {
                self.traffic.received += read as u64;
                Ok(())
            }
            Err(error) => Err(Fault::new(step, "closed", error.to_string())),
        }
    }
}

const MOST_BYTES: usize = 1 << 20;
const MOST_HEADERS: usize = 64;

/// The head and its length, if it is whole.
fn read_head(input: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(input).map_err(|error| error.to_string())?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let mut head = Head {
        status: response.code.unwrap_or_default(),
        location: None,
        length: Length::UntilClosed,
        keeps: response.version == Some(1),
    };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        let value = value.trim();
        if header.name.eq_ignore_ascii_case("content-length") && head.length != Length::Chunks {
            let length = value
                .parse()
                .map_err(|_| "a length that is no number".to_owned())?;
            head.length = Length::Bytes(length);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            head.length = Length::Chunks;
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.keeps = value.eq_ignore_ascii_case("keep-alive")
                || (head.keeps && !value.eq_ignore_ascii_case("close"));
        } else if header.name.eq_ignore_ascii_case("location") {
            head.location = Some(value.to_owned());
        }
    }
    if matches!(head.status, 204 | 304) {
        head.length = Length::Bytes(0);
    }
    head.keeps &= head.length != Length::UntilClosed;
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_whole() {
        let text =
            b"HTTP/1.1 302 Found\r\nlocation: /x?ticket=ST-1\r\nContent-Length: 3\r\n\r\nabc";
        let (head, length) = read_head(text).unwrap().expect("whole");
        assert_eq!(
            (head.status, head.location.as_deref()),
            (302, Some("/x?ticket=ST-1"))
        );
        assert_eq!((head.length, head.keeps), (Length::Bytes(3), true));
        assert_eq!(&text[length..], b"abc");
        for cut in 0..length {
            assert!(read_head(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        let (head, _) = read_head(b"HTTP/1.0 200 OK\r\n\r\n")
            .unwrap()
            .expect("whole");
        assert_eq!((head.length, head.keeps), (Length::UntilClosed, false));
        let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        let (head, _) = read_head(text).unwrap().expect("whole");
        assert_eq!((head.length, head.keeps), (Length::Chunks, false));
        assert!(read_head(b"SMTP ready\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").is_err());
    }
}
