//! Nodes of one deployment: processes with a port each, one address that browsers know, and one store.

use casque_server::{HashParams, Password, hash_password};

use crate::support::{
    Process, casque,
    served::{Site, free_port},
    visitor::Visitor,
};

/// Everybody who logs in.
pub(super) const USER: &str = "alice";
pub(super) const PASSWORD: &str = "wonderland";

pub(super) struct Nodes {
    site: Site,
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    process: Option<Process>,
}

impl Nodes {
    pub(super) fn start(store: &str, count: usize) -> Self {
        let on_a_server = store.contains("://");
        let mark = if store.contains('?') { '&' } else { '?' };
        let store = if on_a_server {
            // So that a store that stands still is noticed soon.
            format!("{store}{mark}timeout=500ms")
        } else {
            store.to_owned()
        };
        // Tickets outlive what happens to them, so that one accepted before is still one that could be accepted after.
        let site = Site::new(&store, "[tickets]\nservice_ticket_lifetime = \"300s\"\n");
        let cheap = HashParams::new(64, 1, 1).expect("a cost");
        let hash = hash_password(&Password::new(PASSWORD).expect("short"), cheap);
        site.write("people.toml", &format!("[{USER}]\npassword = \"{hash}\"\n"));
        let mut nodes = Self {
            site,
            nodes: Vec::new(),
        };
        for number in 0..count {
            nodes.nodes.push(Node {
                port: free_port(),
                process: None,
            });
            nodes.start_again(number);
        }
        nodes
    }

    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A browser that reaches the server at one of its nodes.
    pub(super) fn visitor(&self, node: usize) -> Visitor {
        Visitor::at_node(&self.site.base_url, self.nodes[node].port)
    }

    pub(super) fn base_url(&self) -> &str {
        &self.site.base_url
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, node: usize) {
        // Dropping kills it, and waits.
        self.nodes[node].process = None;
    }

    pub(super) fn start_again(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let address = format!("127.0.0.1:{}", node.port);
        let mut command = casque();
        command
            .args(["serve", "--config"])
            .arg(self.site.file("casque.toml"))
            .env("CASQUE_LISTEN", &address)
            .stderr(std::process::Stdio::null());
        let (process, ()) =
            Process::start_until(&mut command, |line| line.contains(&address).then_some(()));
        node.process = Some(process);
    }
}
