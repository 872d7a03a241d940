//! Names, ports, certificates, clocks.

use std::time::{Duration, SystemTime};

use casque_doctor::{Group, Kind, Mark, Misuse, Patient, examine};
use casque_store::SystemClock;
use casque_testkit::{FakeCas, Fault, ManualClock, Page, TlsMode};
use http::{Response, StatusCode};
use tokio::net::TcpListener;

use crate::support::{SHORT, TlsFront, examined, examined_at, finds, patient};

#[tokio::test]
async fn a_name_that_nobody_has() {
    let report = finds(&patient("https://cas.invalid/cas"), &[Kind::NameUnknown]).await;
    assert!(
        report.to_text().contains("cas.invalid"),
        "{}",
        report.to_text()
    );
    assert!(report.count(Mark::Skipped) >= 4 && !report.is_healthy());
}

#[tokio::test]
async fn a_port_that_nobody_listens_at() {
    let (listener, url) = crate::support::listener().await;
    drop(listener);
    let report = finds(&patient(&url), &[Kind::PortClosed]).await;
    let address = url.strip_prefix("http://").unwrap();
    assert!(report.to_text().contains(address), "{}", report.to_text());
}

#[tokio::test]
async fn an_address_that_no_connection_leads_to() {
    // No TCP leads to the broadcast address.
    finds(
        &patient("https://255.255.255.255/cas"),
        &[Kind::Unreachable],
    )
    .await;
}

#[tokio::test]
async fn a_port_of_the_other_scheme() {
    let plain = FakeCas::start();
    let report = finds(
        &patient(&plain.base_url().replace("http:", "https:")),
        &[Kind::HttpsToHttpPort],
    )
    .await;
    assert!(
        report
            .to_text()
            .contains(&format!("write {}", plain.base_url())),
        "{}",
        report.to_text()
    );
    let tls = FakeCas::start_tls(TlsMode::Good);
    finds(
        &patient(&tls.base_url().replace("https:", "http:")),
        &[Kind::HttpToHttpsPort],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let cas = FakeCas::start();
    for page in Page::ALL {
        cas.fault(page, Fault::Silent);
    }
    let mut patient = patient(cas.base_url());
    patient.patience = SHORT;
    finds(&patient, &[Kind::NoAnswer]).await;
}

#[tokio::test]
async fn a_port_that_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    finds(&patient(&url), &[Kind::TlsFailed]).await;
}

#[tokio::test]
async fn certificates_that_are_refused() {
    for (mode, kind) in [
        (TlsMode::SelfSigned, Kind::CertificateSelfSigned),
        (TlsMode::Expired, Kind::CertificateExpired),
        (TlsMode::NotYetValid, Kind::CertificateNotYetValid),
        (TlsMode::WrongName, Kind::CertificateWrongName),
    ] {
        let cas = FakeCas::start_tls(mode);
        let folder = tempfile::tempdir().unwrap();
        let mut patient = patient(cas.base_url());
        let file = folder.path().join("root.pem");
        std::fs::write(&file, cas.root_pem().unwrap()).unwrap();
        if mode != TlsMode::SelfSigned {
            patient.ca_file = Some(file);
        }
        let report = finds(&patient, &[kind]).await;
        let text = report.to_text();
        let said = match mode {
            TlsMode::Expired => "2001-01-01",
            TlsMode::NotYetValid => "4000-01-01",
            TlsMode::WrongName => "elsewhere.example.org",
            _ => "CN=fake CAS",
        };
        assert!(text.contains(said), "{text}");
        assert_eq!(
            cas.requests().len(),
            0,
            "nothing is asked of a server that is not trusted (S-010)"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_trusted_by_file_unless_it_is_an_authority() {
    let cas = FakeCas::start_tls(TlsMode::SelfSigned);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cas.root_pem().unwrap()).unwrap();
    let mut own = patient(cas.base_url());
    own.ca_file = Some(file.path().to_owned());
    finds(&own, &[]).await;

    // As `openssl req -x509` makes it.
    let front = TlsFront::authority_itself().await;
    let mut own = patient(&front.url);
    let root = front.pass_to("http://127.0.0.1:1");
    own.ca_file = Some(root.path().to_owned());
    let report = finds(&own, &[Kind::CertificateSelfSigned]).await;
    assert!(
        report.to_text().contains("CA:FALSE"),
        "{}",
        report.to_text()
    );
}

#[tokio::test]
async fn an_authority_that_is_trusted_by_file_alone() {
    let cas = FakeCas::start_tls(TlsMode::Good);
    let mut patient = patient(cas.base_url());
    let report = finds(&patient, &[Kind::CertificateUnknownIssuer]).await;
    let text = report.to_text();
    assert!(
        text.contains("CN=fake CAS root") && text.contains("--ca"),
        "{text}"
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, cas.root_pem().unwrap()).unwrap();
    patient.ca_file = Some(file.clone());
    let report = finds(&patient, &[]).await;
    assert!(
        report.to_text().contains("certificate is trusted"),
        "{}",
        report.to_text()
    );

    std::fs::write(&file, "no certificate\n").unwrap();
    let misuse: Misuse = examine(&patient, &SystemClock::new(), |_| {})
        .await
        .unwrap_err();
    assert!(misuse.to_string().contains("root.pem"), "{misuse}");
}

#[tokio::test]
async fn a_certificate_that_ends_soon() {
    let cas = FakeCas::start_tls(TlsMode::Good);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, cas.root_pem().unwrap()).unwrap();
    let mut patient = patient(cas.base_url());
    patient.ca_file = Some(file);
    // It is good until the year 4096; by this clock that is in days.
    let new_year: jiff::Timestamp = "4096-01-01T00:00:00Z".parse().unwrap();
    let late = SystemTime::from(new_year) - Duration::from_hours(24 * 5);
    let report = examined_at(&patient, &ManualClock::at(late)).await;
    // And by this clock the server's is wrong.
    assert_eq!(
        report.kinds(),
        [Kind::CertificateEndsSoon, Kind::ClockWrong],
        "{}",
        report.to_text()
    );
}

#[tokio::test]
async fn a_clock_that_is_ahead() {
    let cas = FakeCas::start();
    let clock = ManualClock::new();
    for (seconds, kind) in [
        (0, None),
        (30, Some(Kind::ClockSkew)),
        (3600, Some(Kind::ClockWrong)),
    ] {
        cas.clear_faults();
        let told = jiff::Timestamp::try_from(casque_store::Clock::now(&clock)).unwrap()
            + jiff::SignedDuration::from_secs(seconds);
        let date = told.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let page =
            "<!doctype html><form><input name=username><input type=password name=password></form>";
        let answer = Response::builder()
            .status(StatusCode::OK)
            .header("date", date)
            .header("content-type", "text/html")
            .body(page.into())
            .unwrap();
        cas.fault(Page::Login, Fault::Answer(answer));
        let report = examined_at(&patient(cas.base_url()), &clock).await;
        assert_eq!(report.kinds(), kind.as_slice(), "{}", report.to_text());
        assert_eq!(report.is_healthy(), kind != Some(Kind::ClockWrong));
    }
}

#[tokio::test]
async fn settings_that_contradict_or_are_missing() {
    let cas = FakeCas::start();
    let provider = cas.base_url();
    for (file, kind) in [
        ("OTHER=1\n".to_owned(), Kind::SettingMissing),
        (format!("CAS_PROVIDER={provider}\n"), Kind::SettingMissing),
        (
            format!("CAS_PROVIDER={provider}/login\nSERVICE_URL=https://app.example.org\n"),
            Kind::SettingUnusable,
        ),
        (
            format!("CAS_PROVIDER={provider}\nSERVICE_URL=http://app.example.org\n"),
            Kind::PlainHttp,
        ),
        (
            format!(
                "CAS_PROVIDER={provider}\nSERVICE_URL=http://localhost:5000\nLOGIN_URL=http://localhost:8000/login\n"
            ),
            Kind::SettingsTwoOrigins,
        ),
    ] {
        let mut patient = Patient::default();
        patient.env_file = Some(file.clone());
        let report = examined(&patient).await;
        assert!(report.kinds().contains(&kind), "{file}{}", report.to_text());
        assert_eq!(report.findings()[0].group(), Group::Settings);
    }

    let mut odd = patient(provider);
    odd.service = Some("https://APP.example.org:443/login".to_owned());
    let report = finds(&odd, &[Kind::ServiceNotCanonical]).await;
    assert!(
        report
            .to_text()
            .contains("write https://app.example.org/login"),
        "{}",
        report.to_text()
    );

    odd.service = Some("https://u:hunter2@app.example.org/".to_owned());
    let report = finds(&odd, &[Kind::SettingUnusable]).await;
    assert!(
        !report.to_text().contains("hunter2"),
        "{}",
        report.to_text()
    );

    let mut contradicted = patient(provider);
    contradicted.environment = vec![
        (
            "CAS_PROVIDER".to_owned(),
            "https://sso.example.org".to_owned(),
        ),
        ("SERVICE_URL".to_owned(), "http://127.0.0.1:5000".to_owned()),
    ];
    finds(&contradicted, &[Kind::SettingsDisagree]).await;
    contradicted.environment[0].1 = provider.to_owned();
    finds(&contradicted, &[]).await;
}

#[tokio::test]
async fn nothing_to_look_at() {
    let asked = |patient: Patient| async move {
        examine(&patient, &SystemClock::new(), |_| {})
            .await
            .unwrap_err()
            .to_string()
    };
    assert!(asked(Patient::default()).await.contains("--cas URL"));
    for app in [
        "app.example.org",
        "ftp://app.example.org",
        "https://u:secret@app.example.org",
    ] {
        let mut patient = Patient::default();
        patient.app = Some(app.to_owned());
        let words = asked(patient).await;
        assert!(
            words.contains("--app") && !words.contains("secret"),
            "{words}"
        );
    }
}
