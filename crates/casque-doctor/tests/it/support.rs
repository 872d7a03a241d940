//! Patients, and whom they may consist of.

use std::time::Duration;

use axum::Router;
use casque_doctor::{Kind, Mark, Patient, Report, examine};
use casque_store::{Clock, SystemClock};
use tokio::net::TcpListener;

pub(crate) fn patient(cas: &str) -> Patient {
    let mut patient = Patient::default();
    patient.cas = Some(cas.to_owned());
    patient
}

/// A patient with a service, and alice to log in.
pub(crate) fn alice(cas: &str, service: &str) -> Patient {
    let mut patient = patient(cas);
    patient.service = Some(service.to_owned());
    patient.username = Some("alice".to_owned());
    patient.password = Some("wonderland".to_owned());
    patient
}

pub(crate) async fn examined(patient: &Patient) -> Report {
    examined_at(patient, &SystemClock::new()).await
}

pub(crate) async fn examined_at(patient: &Patient, clock: &dyn Clock) -> Report {
    let report = examine(patient, clock, |_| {}).await.unwrap();
    let told = format!("{} {:#}", report.to_text(), report.to_json());
    if let Some(password) = &patient.password {
        assert!(
            !told.contains(password),
            "the password is told (S-017): {told}"
        );
    }
    assert!(
        !told.contains("ST-2") && !told.contains("ticket=ST"),
        "{told}"
    );
    for finding in report.findings() {
        let wrong = finding.kind().is_some();
        assert_eq!(
            wrong,
            matches!(finding.mark(), Mark::Caution | Mark::Problem),
            "{finding:?}"
        );
        assert_eq!(wrong, !finding.fix().is_empty(), "{finding:?}");
        assert!(!finding.seen().is_empty(), "{finding:?}");
    }
    report
}

/// Exactly these are wrong.
pub(crate) async fn finds(patient: &Patient, kinds: &[Kind]) -> Report {
    let report = examined(patient).await;
    assert_eq!(report.kinds(), kinds, "{}", report.to_text());
    report
}

/// A test that waits for a silence is not to wait long.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Serves until the test ends.
pub(crate) fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

pub(crate) async fn served(router: Router) -> String {
    let (listener, url) = listener().await;
    serve(listener, router);
    url
}
