//! Versions side by side.

use casque_store::{SharedStore, StoreError};
use casque_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};

use super::{key, later, run, store, words};

async fn works(store: &SharedStore) {
    store.ping().await.expect("well");
    assert!(
        store
            .create(&key("a"), b"value".to_vec(), later())
            .await
            .expect("create")
    );
    assert_eq!(
        store
            .append(&key("a"), b"one".to_vec(), later())
            .await
            .expect("append"),
        1
    );
    assert!(store.touch(&key("a"), later()).await.expect("touch"));
    assert_eq!(
        store.take(&key("a")).await.expect("take").as_deref(),
        Some(&b"value"[..])
    );
    assert_eq!(
        store.take_members(&key("a")).await.expect("members"),
        [b"one"]
    );
}

async fn is_too_new(store: &SharedStore, found: i64) {
    for _ in 0..3 {
        let error = store.get(&key("a")).await.expect_err("too new");
        assert!(
            matches!(&error, StoreError::NewerSchema { found: it, known: 1, .. } if *it == found),
            "{}",
            words(&error)
        );
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}

#[test]
fn redis_of_the_next_version_is_read_and_of_the_one_after_refused() {
    let Some(server) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    run(async {
        works(&store(&server.url(), "timeout=5s")).await;
        assert_eq!(server.cli(&["GET", "casque:schema"]), "1 1");
        server.cli(&["SET", "casque:schema", "2 1"]);
        works(&store(&server.url(), "timeout=5s")).await;
        assert_eq!(
            server.cli(&["GET", "casque:schema"]),
            "2 1",
            "it stays as it was"
        );
        let left: i64 = server
            .cli(&["PTTL", "casque:schema"])
            .parse()
            .expect("a number");
        assert!(left > 0, "every key has an end");
        server.cli(&["SET", "casque:schema", "3 2"]);
        is_too_new(&store(&server.url(), "timeout=5s"), 3).await;
        server.cli(&["SET", "casque:schema", "0 0"]);
        works(&store(&server.url(), "timeout=5s")).await;
        assert_eq!(
            server.cli(&["GET", "casque:schema"]),
            "1 1",
            "an older note is renewed"
        );
        server.cli(&["SET", "casque:schema", "somebody's"]);
        let error = store(&server.url(), "timeout=5s")
            .ping()
            .await
            .expect_err("not ours");
        assert!(
            error.to_string().contains("prefix") && !error.is_unavailable(),
            "{error}"
        );
    });
}

#[test]
fn postgres_of_the_next_version_is_read_and_of_the_one_after_refused() {
    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    run(async {
        works(&store(&server.url(), "timeout=5s")).await;
        // What a next version may do: add.
        server.sql(
            "ALTER TABLE casque.record ADD COLUMN node text NOT NULL DEFAULT '';
             ALTER TABLE casque.member ADD COLUMN node text;
             UPDATE casque.casque_schema SET version = 2",
        );
        works(&store(&server.url(), "timeout=5s")).await;
        assert_eq!(server.sql("SELECT version FROM casque.casque_schema"), "2");
        server.sql("UPDATE casque.casque_schema SET version = 3, oldest_reader = 2");
        is_too_new(&store(&server.url(), "timeout=5s"), 3).await;
    });
}

#[test]
fn many_nodes_may_meet_an_empty_database_at_the_same_moment() {
    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    run(async {
        let nodes: Vec<_> = (0..12)
            .map(|_| {
                let store = store(&server.url(), "connections=1");
                tokio::spawn(async move { store.ping().await })
            })
            .collect();
        for node in nodes {
            node.await.expect("no panic").expect("ready");
        }
        assert_eq!(
            server.sql("SELECT count(*), max(version) FROM casque.casque_schema"),
            "1|1"
        );
    });
}

#[test]
fn a_schema_made_by_the_owner_of_the_database_will_do() {
    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    server.sql("CREATE ROLE sso LOGIN");
    let url = server.url().replace("casque@", "sso@");
    run(async {
        let refused = store(&url, "timeout=5s")
            .ping()
            .await
            .expect_err("no right");
        assert!(
            refused
                .to_string()
                .contains("CREATE SCHEMA casque AUTHORIZATION"),
            "{refused}"
        );
        server.sql("CREATE SCHEMA casque AUTHORIZATION sso");
        works(&store(&url, "timeout=5s")).await;
    });
}

/// Expiry goes by the index, and no other statement reads more than it is asked for.
#[test]
fn no_statement_walks_a_table() {
    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    run(async {
        works(&store(&server.url(), "timeout=5s")).await;
    });
    server.sql(
        "INSERT INTO casque.record SELECT decode(md5(n::text), 'hex'), 'st', n, 'value' FROM generate_series(1, 20000) n;
         INSERT INTO casque.member SELECT decode(md5((n % 999)::text), 'hex'), decode(md5(n::text), 'hex'), 'one', 'st', n
         FROM generate_series(1, 20000) n;
         ANALYZE casque.record; ANALYZE casque.member",
    );
    let statements: Vec<String> = include_str!("../../src/postgres/sql.rs")
        .split("const ")
        .skip(1)
        .filter_map(|rest| {
            Some(
                rest.split_once(": &str =")?
                    .1
                    .split('"')
                    .nth(1)?
                    .replace("{s}", "casque"),
            )
        })
        .filter(|sql| !sql.contains("casque_schema") && !sql.contains("append_1"))
        .collect();
    assert!(statements.len() >= 10, "{statements:?}");
    for (number, sql) in statements.iter().enumerate() {
        // A generic plan, as a prepared statement has it after a few calls.
        let parameters = (1..=9)
            .take_while(|n| sql.contains(&format!("${n}")))
            .count();
        let nulls = vec!["NULL"; parameters].join(", ");
        let plan = server.sql(&format!(
            "SET plan_cache_mode = force_generic_plan; PREPARE it{number} AS {sql};
             EXPLAIN (COSTS off) EXECUTE it{number}({nulls})"
        ));
        assert!(
            !plan.contains("Seq Scan") && !plan.contains("Sort"),
            "{sql}\n{plan}"
        );
    }
}
