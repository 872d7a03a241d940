//! The seed's whole story in a real browser: public homepage, protected page refused, login at a real CAS server,
//! wrong password refused, protected page greets by name, logout ends both sessions.

use crate::support::{Demo, browser::Browser};

#[tokio::test]
async fn by_mouse() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start();
    let app = &demo.app_url;

    browser.go(app).await;
    assert!(browser.text().await.contains("Welcome to the Homepage!"));

    browser.go(&format!("{app}/protected")).await;
    assert!(
        browser
            .text()
            .await
            .contains("Access denied. Please log in first.")
    );

    browser.go(&format!("{app}/login")).await;
    assert!(
        browser.url().await.starts_with(&demo.cas_url),
        "sent to {}",
        browser.url().await
    );

    browser.log_in("alice", "not wonderland").await;
    assert!(browser.url().await.starts_with(&demo.cas_url));
    let alert = browser
        .client
        .find(fantoccini::Locator::Css("[role=alert]"))
        .await
        .expect("the failure is announced");
    assert!(!alert.text().await.expect("text").is_empty());

    browser.log_in("alice", "wonderland").await;
    let url = browser.url().await;
    assert!(url.starts_with(app.as_str()), "sent to {url}");
    assert!(!url.contains("ticket="), "a ticket stays in {url}");

    browser.go(&format!("{app}/protected")).await;
    assert!(
        browser
            .text()
            .await
            .contains("Welcome to the protected page, alice!")
    );

    browser.go(&format!("{app}/logout")).await;
    assert!(
        browser.url().await.starts_with(&demo.cas_url),
        "the CAS session ends too"
    );

    browser.go(&format!("{app}/protected")).await;
    assert!(
        browser
            .text()
            .await
            .contains("Access denied. Please log in first.")
    );
    browser.go(&format!("{app}/login")).await;
    assert!(
        browser
            .client
            .find(fantoccini::Locator::Css("input[name=password]"))
            .await
            .is_ok(),
        "the password is asked for again"
    );
    browser.close().await;
}

#[tokio::test]
async fn the_page_asked_for_is_restored_and_single_sign_on_asks_no_password() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start();
    let asked = format!("{}/members?page=2&q=a%20b%2Bc", demo.app_url);

    browser.go(&asked).await;
    assert!(browser.url().await.starts_with(&demo.cas_url));
    browser.log_in("alice", "wonderland").await;
    assert_eq!(browser.url().await, asked);
    assert!(browser.text().await.contains("alice"));

    // The application forgets the browser; the CAS session lets it in again without a password.
    for cookie in browser.client.get_all_cookies().await.expect("cookies") {
        if cookie.name().contains("casque") {
            browser
                .client
                .delete_cookie(cookie.name())
                .await
                .expect("the cookie goes");
        }
    }
    browser.go(&asked).await;
    assert_eq!(browser.url().await, asked);
    browser.close().await;
}

#[tokio::test]
async fn by_keyboard_only() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start();

    browser.go(&demo.app_url).await;
    browser.tab_to("e.matches('a[href$=\"/login\"]')").await;
    browser.enter().await;
    assert!(
        browser.url().await.starts_with(&demo.cas_url),
        "sent to {}",
        browser.url().await
    );

    // The name has the focus already; a person types, tabs and presses Enter.
    let focused = browser
        .client
        .execute("return document.activeElement.name", vec![])
        .await
        .expect("runs");
    if focused != "username" {
        browser.tab_to("e.name === 'username'").await;
    }
    browser.press("alice".chars()).await;
    browser.tab_to("e.name === 'password'").await;
    browser.press("wonderland".chars()).await;
    browser.enter().await;
    assert!(
        browser.url().await.starts_with(&demo.app_url),
        "sent to {}",
        browser.url().await
    );

    browser.go(&demo.app_url).await;
    browser.tab_to("e.matches('a[href$=\"/protected\"]')").await;
    browser.enter().await;
    assert!(
        browser
            .text()
            .await
            .contains("Welcome to the protected page, alice!")
    );

    browser
        .tab_to("e.matches('a[href$=\"/logout\"], form[action$=\"/logout\"] button')")
        .await;
    browser.enter().await;
    browser.go(&format!("{}/protected", demo.app_url)).await;
    assert!(
        browser
            .text()
            .await
            .contains("Access denied. Please log in first.")
    );
    browser.close().await;
}
