//! `/livez`, `/readyz` and `/metrics` of the real server, and what the book says of them.

use std::collections::BTreeSet;

use crate::support::{
    root,
    served::{Site, free_port},
    visitor::Visitor,
};

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let port = free_port();
    let site = Site::new(
        "sqlite:casque.db",
        &format!("[operation]\nlisten = \"127.0.0.1:{port}\"\n"),
    );
    let _server = site.serve();
    let mut visitor = Visitor::new();
    for (path, words) in [("livez", "alive\n"), ("readyz", "ready\n")] {
        let answer = visitor
            .get(&format!("http://127.0.0.1:{port}/{path}"))
            .await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, words));
        let public = visitor.get(&format!("{}/{path}", site.base_url)).await;
        assert_eq!(public.status, 404, "not on the public listener");
    }
    let answer = visitor
        .get(&format!("http://127.0.0.1:{port}/metrics"))
        .await;
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let told: BTreeSet<&str> = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let page = std::fs::read_to_string(root().join("docs/operation.md")).expect("the chapter");
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("casque_") || name.starts_with("process_"))
        .collect();
    assert_eq!(told, documented);
}
