//! Rolling restarts: two servers behind a switch that asks who is ready, restarted one after the other under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{
    Process, casque,
    served::{Site, free_port},
    visitor::{Answer, Visitor},
};

const SERVICE: &str = "http%3A%2F%2F127.0.0.1%3A9%2Fapp";
const VISITORS: usize = 4;

/// A second configuration of the same site, for one of two nodes.
struct Node {
    port: u16,
    operation: u16,
    config: String,
}

impl Node {
    fn new(site: &Site, name: &str) -> Self {
        let (port, operation) = (free_port(), free_port());
        let config = format!("{name}.toml");
        // The public address is that of the switch.
        site.write(
            &config,
            &format!(
                "base_url = \"{}\"\nlisten = \"127.0.0.1:{port}\"\nstore = \"sqlite:casque.db\"\n\
                 [operation]\nlisten = \"127.0.0.1:{operation}\"\ndrain = \"1 s\"\n",
                site.base_url
            ),
        );
        Self {
            port,
            operation,
            config,
        }
    }

    fn serve(&self, site: &Site) -> Process {
        let mut command = casque();
        command
            .args(["serve", "--config"])
            .arg(site.file(&self.config));
        let listens = format!("127.0.0.1:{}", self.port);
        Process::start_until(&mut command, |line| line.contains(&listens).then_some(())).0
    }

    async fn is_ready(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/readyz", self.operation);
        let answer = Visitor::new().try_get(&url).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

/// Sends each connection to a node that says it is ready, in turn.
async fn switch(listener: TcpListener, nodes: Arc<[Node; 2]>) {
    let turn = AtomicUsize::new(0);
    loop {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let first = turn.fetch_add(1, Ordering::Relaxed) % 2;
        let nodes = nodes.clone();
        tokio::spawn(async move {
            for node in [&nodes[first], &nodes[1 - first]] {
                if node.is_ready().await
                    && let Ok(mut server) = TcpStream::connect(("127.0.0.1", node.port)).await
                {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}

/// Logs in once, then asks for tickets and validates them until it is told to end; one kept-alive connection.
async fn visit(base: String, ended: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    let mut visitor = Visitor::new();
    let login = format!("{base}/login?service={SERVICE}");
    let form = visitor.get(&login).await;
    let mut answer = visitor.log_in(&form, "alice", "wonderland").await;
    while !ended.load(Ordering::Relaxed) {
        let ticket = answer.ticket().unwrap_or_else(|| failed(&answer));
        let url = format!("{base}/serviceValidate?service={SERVICE}&ticket={ticket}");
        let validated = visitor.get(&url).await;
        assert!(
            validated.body.contains("<cas:user>alice"),
            "{}",
            validated.body
        );
        answer = visitor.get(&login).await;
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn failed(answer: &Answer) -> String {
    panic!("{} {}", answer.status, answer.body)
}

/// Waits until the visitors have done so many rounds more.
async fn rounds(done: &AtomicUsize, more: usize) {
    let until = done.load(Ordering::Relaxed) + more;
    let wait = async {
        while done.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), wait).await;
    waited.expect("the visitors go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request() {
    let site = Site::new("sqlite:casque.db", "");
    let listener = TcpListener::bind(("127.0.0.1", site.port())).await;
    let nodes = Arc::new([Node::new(&site, "a"), Node::new(&site, "b")]);
    let mut servers = [nodes[0].serve(&site), nodes[1].serve(&site)];
    let switching = tokio::spawn(switch(listener.expect("the port is free"), nodes.clone()));
    let (ended, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        visitors.spawn(visit(site.base_url.clone(), ended.clone(), done.clone()));
    }
    rounds(&done, 20).await;
    for (node, server) in nodes.iter().zip(&mut servers) {
        server.signal("TERM");
        rounds(&done, 20).await;
        assert!(server.wait().success(), "it ends well");
        *server = node.serve(&site);
        rounds(&done, 20).await;
        assert!(node.is_ready().await);
    }
    ended.store(true, Ordering::Relaxed);
    while let Some(visitor) = visitors.join_next().await {
        visitor.expect("no request failed");
    }
    switching.abort();
}

#[tokio::test]
async fn a_server_that_drains_says_so_and_still_answers() {
    let operation = free_port();
    let site = Site::new(
        "sqlite:casque.db",
        &format!("[operation]\nlisten = \"127.0.0.1:{operation}\"\ndrain = \"10 min\"\n"),
    );
    let mut server = site.serve();
    let mut visitor = Visitor::new();
    let login = format!("{}/login", site.base_url);
    let before = visitor.get(&login).await;
    assert!(!before.headers.contains_key("connection"));
    server.signal("TERM");
    let ready = format!("http://127.0.0.1:{operation}/readyz");
    let draining = async {
        while visitor.get(&ready).await.status == 200 {}
        visitor.get(&ready).await
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), draining).await;
    let answer = answer.expect("it drains");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, "not ready: the server is ending\n");
    let mut newcomer = Visitor::new();
    let page = newcomer.get(&login).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["connection"], "close");
    let alive = newcomer
        .get(&format!("http://127.0.0.1:{operation}/livez"))
        .await;
    assert_eq!(alive.status, 200);
    // Told twice, it waits no longer.
    server.signal("TERM");
    assert!(server.wait().success());
}
