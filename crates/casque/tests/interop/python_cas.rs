//! python-cas, the client under most Python frameworks, in CAS 1, 2 and 3.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{root, served::Site, skip, visitor::Visitor};

struct PythonCas<'a> {
    version: &'a str,
    server: String,
    service: &'a str,
}

impl PythonCas<'_> {
    fn step(&self, step: &[&str]) -> Value {
        let output = Command::new(root().join("target/python/bin/python"))
            .arg(root().join("interop/clients/python_cas.py"))
            .args([self.version, &self.server, self.service])
            .args(step)
            .output()
            .expect("python runs");
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|_| {
            panic!(
                "python-cas said {text}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

#[tokio::test]
async fn logs_in_at_casque() {
    if !root().join("target/python/bin/python").exists() {
        return skip("python-cas is not installed in target/python");
    }
    let site = Site::new("memory:", "");
    let _server = site.serve();
    let service = "http://127.0.0.1:9/app?next=%2Fa%3Fb%3D1&x=%C3%A9";

    for version in ["1", "2", "3"] {
        let client = PythonCas {
            version,
            server: format!("{}/", site.base_url),
            service,
        };
        let login = client.step(&["login-url"]);
        let mut visitor = Visitor::new();

        let form = visitor.get(login.as_str().expect("a URL")).await;
        let wrong = visitor.log_in(&form, "alice", "not wonderland").await;
        assert_eq!(
            wrong.status, 401,
            "CAS {version}: a wrong password is refused"
        );
        let answer = visitor.log_in(&wrong, "alice", "wonderland").await;
        let ticket = answer
            .ticket()
            .unwrap_or_else(|| panic!("CAS {version}: no ticket: {}", answer.body));

        let verified = client.step(&["verify", &ticket]);
        assert_eq!(verified["user"], "alice", "CAS {version}");
        if version == "3" {
            assert_eq!(verified["attributes"]["mail"], "alice@example.org");
            assert_eq!(
                verified["attributes"]["memberOf"],
                json!(["staff", "admin"])
            );
        }

        let replayed = client.step(&["verify", &ticket]);
        assert_eq!(
            replayed["user"],
            Value::Null,
            "CAS {version}: a ticket is accepted once"
        );
        let forged = client.step(&["verify", "ST-forged0123456789"]);
        assert_eq!(
            forged["user"],
            Value::Null,
            "CAS {version}: a forged ticket is refused"
        );
    }
}
