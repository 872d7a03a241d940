//! Passwords and TLS.

use std::fs;

use casque_store::{StoreError, SystemClock, open};
use casque_testkit::{
    TlsMode,
    servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer},
};

use super::{comes_back, key, later, run, store, words};

const PASSWORD: &str = "correct horse battery staple";

async fn works(store: &casque_store::SharedStore) {
    store.ping().await.expect("well");
    assert!(
        store
            .create(&key("a"), b"value".to_vec(), later())
            .await
            .expect("create")
    );
    assert!(store.take(&key("a")).await.expect("take").is_some());
}

async fn refusal(url: &str) -> String {
    let store = store(url, "timeout=5s");
    let error = store.ping().await.expect_err("refused");
    assert!(error.is_unavailable(), "{error}");
    let told = format!("{} {store:?}", words(&error));
    assert!(
        !told.contains("horse") && !told.contains("hunter2"),
        "{told}"
    );
    told
}

#[test]
fn redis_wants_its_password() {
    let Some(server) = RedisServer::start(RedisOptions {
        password: Some(PASSWORD),
        ..RedisOptions::default()
    }) else {
        return;
    };
    run(async {
        let from_file = store(&server.url(), "timeout=5s");
        works(&from_file).await;
        let written = format!(
            "redis://:{}@127.0.0.1:{}",
            PASSWORD.replace(' ', "%20"),
            server.port()
        );
        works(&store(&written, "prefix=other")).await;
        let none = format!("redis://127.0.0.1:{}", server.port());
        assert!(
            refusal(&none)
                .await
                .contains("refused the user or the password")
        );
        let wrong = format!("redis://:hunter2@127.0.0.1:{}", server.port());
        assert!(
            refusal(&wrong)
                .await
                .contains("refused the user or the password")
        );

        // A new password, while casque runs.
        server.cli(&["CONFIG", "SET", "requirepass", "another"]);
        fs::write(server.password_file(), "another\n").expect("the file");
        let killed = std::process::Command::new("redis-cli")
            .env("REDISCLI_AUTH", "another")
            .args([
                "-p",
                &server.port().to_string(),
                "CLIENT",
                "KILL",
                "TYPE",
                "normal",
            ])
            .output()
            .expect("redis-cli");
        assert!(killed.status.success());
        comes_back(&from_file).await;
        works(&from_file).await;
    });
}

#[test]
fn redis_users_need_few_rights() {
    let Some(server) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    // As docs/stores.md has it.
    let rights = "on >hunter2 resetkeys ~casque:* resetchannels -@all +select +set +get +getdel +getrange +setrange +pexpire \
                  +pttl +zadd +zscore +zrem +zcard +zrangebyscore +zremrangebyscore +unlink +type +scan +evalsha \
                  +script|load";
    let mut command = vec!["ACL", "SETUSER", "sso"];
    command.extend(rights.split_whitespace());
    assert_eq!(server.cli(&command), "OK");
    let url = format!("redis://sso:hunter2@127.0.0.1:{}/1", server.port());
    run(async {
        let ours = store(&url, "timeout=5s");
        works(&ours).await;
        assert_eq!(
            ours.append(&key("set"), b"one".to_vec(), later())
                .await
                .expect("append"),
            1
        );
        assert!(
            ours.remove_member(&key("set"), b"one")
                .await
                .expect("remove")
        );
        assert!(
            ours.take_members(&key("set"))
                .await
                .expect("take")
                .is_empty()
        );
        assert!(ours.members(&key("set")).await.expect("members").is_empty());
        assert!(
            ours.create(&key("b"), Vec::new(), later())
                .await
                .expect("create")
        );
        assert!(ours.touch(&key("b"), later()).await.expect("touch"));
        assert!(
            !ours
                .create(&key("b"), Vec::new(), later())
                .await
                .expect("create")
        );
        assert_eq!(ours.sweep(10).await.expect("sweep"), 0);
        let other = refusal(&format!("{url}?prefix=other")).await;
        assert!(other.contains("does not permit"), "{other}");
    });
}

#[test]
fn postgres_wants_its_password() {
    let Some(server) = PostgresServer::start(PostgresOptions {
        password: Some(PASSWORD),
        ..PostgresOptions::default()
    }) else {
        return;
    };
    run(async {
        let from_file = store(&server.url(), "timeout=5s");
        works(&from_file).await;
        let base = server.url().split_once('?').expect("options").0.to_owned();
        assert!(refusal(&base).await.contains("PostgreSQL"));
        let wrong = base.replace("casque@", "casque:hunter2@");
        assert!(
            refusal(&wrong)
                .await
                .contains("refused the user or the password")
        );
        let nowhere = server.url().replace("/postgres?", "/nowhere?");
        assert!(refusal(&nowhere).await.contains("no such database"));

        server.sql("ALTER ROLE casque PASSWORD 'another'");
        fs::write(server.password_file(), "another\n").expect("the file");
        works(&from_file).await;
        works(&store(&server.url(), "schema=other")).await;
    });
}

#[test]
fn redis_speaks_tls() {
    for mode in [TlsMode::Good, TlsMode::WrongName, TlsMode::Expired] {
        let Some(server) = RedisServer::start(RedisOptions {
            tls: Some(mode),
            password: Some(PASSWORD),
            ..RedisOptions::default()
        }) else {
            return;
        };
        run(check(server.url(), mode, "rediss://", "redis://"));
    }
}

#[test]
fn postgres_speaks_tls() {
    for mode in [TlsMode::Good, TlsMode::WrongName, TlsMode::Expired] {
        let Some(server) = PostgresServer::start(PostgresOptions {
            tls: Some(mode),
            password: Some(PASSWORD),
            ..PostgresOptions::default()
        }) else {
            return;
        };
        run(check(server.url(), mode, "tls=on", "tls=off"));
    }
}

async fn check(url: String, mode: TlsMode, secure: &str, plain: &str) {
    if mode != TlsMode::Good {
        assert!(
            refusal(&url)
                .await
                .contains("certificate that is not trusted")
        );
        return;
    }
    works(&store(&url, "timeout=5s")).await;
    let ca = url
        .split(['?', '&'])
        .find(|part| part.starts_with("ca_file"))
        .expect("a root");
    // The roots of this machine know nothing of it.
    let without = url.replace(&format!("{ca}&"), "");
    match open(&without, std::sync::Arc::new(SystemClock::new())) {
        Ok(_) => assert!(
            refusal(&without)
                .await
                .contains("certificate that is not trusted")
        ),
        Err(error) => assert!(error.to_string().contains("root certificates"), "{error}"),
    }
    let unencrypted = without.replace(secure, plain);
    refusal(&unencrypted).await;
}

#[test]
fn what_is_not_tls_is_told() {
    let Some(redis) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    let Some(postgres) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    run(async {
        // Redis waits for the end of a line that never comes.
        let url = redis.url().replace("redis:", "rediss:");
        let told = store(&url, "timeout=500ms")
            .ping()
            .await
            .expect_err("no TLS")
            .to_string();
        assert!(told.contains("with TLS has not answered"), "{told}");
        let told = refusal(&format!("{}?tls=on", postgres.url())).await;
        assert!(
            told.contains("offers no TLS") && told.contains("tls=off"),
            "{told}"
        );
    });
}

#[test]
fn files_that_cannot_be_used_are_told_before_anything_connects() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").expect("a file");
    let refused = |url: String| -> StoreError {
        open(&url, std::sync::Arc::new(SystemClock::new())).expect_err(&url)
    };
    for base in [
        "rediss://127.0.0.1",
        "postgres://casque@db.example.org/casque",
    ] {
        for option in ["password_file", "ca_file"] {
            for file in [empty.clone(), folder.path().join("absent")] {
                let error = refused(format!("{base}?{option}={}", file.display()));
                assert!(
                    error.to_string().contains(&file.display().to_string()),
                    "{error}"
                );
            }
        }
    }
}
