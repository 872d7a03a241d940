//! Names and connections, as the machine has them or as a test says.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin};

use tokio::net::{TcpStream, lookup_host};

/// What a [`Network`] answers with, some time.
pub type NetworkFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// How callbacks of proxying are reached: looked up once, judged, and connected to at the very address that was judged
/// (S-052).
///
/// [`SystemNetwork`] is what a server uses; a test that must not depend on the world brings its own.
pub trait Network: fmt::Debug + Send + Sync + 'static {
    /// All addresses of a host, which may be the text of an address itself.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> NetworkFuture<'a, Vec<SocketAddr>>;

    /// A connection to one of them.
    fn connect(&self, address: SocketAddr) -> NetworkFuture<'_, TcpStream>;
}

/// The network of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> NetworkFuture<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }

    fn connect(&self, address: SocketAddr) -> NetworkFuture<'_, TcpStream> {
        Box::pin(TcpStream::connect(address))
    }
}
