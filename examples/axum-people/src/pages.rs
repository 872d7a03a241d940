//! Three small pages. Whatever a person or the CAS server wrote is escaped.

use crate::people::Person;

pub(crate) fn home(user: Option<&str>) -> String {
    let account = match user {
        Some(name) => format!(
            "<p>You are {}. <a href=\"/profile\">Your profile</a>, \
             <a href=\"/people\">everyone</a>, <a href=\"/logout\">log out</a></p>",
            escaped(name)
        ),
        None => "<p><a href=\"/login\">Log in</a></p>".to_owned(),
    };
    page("Welcome to the Homepage!", &account)
}

pub(crate) fn profile(person: &Person) -> String {
    let (mail, about, since) = (
        escaped(&person.mail),
        escaped(&person.about),
        escaped(&person.since),
    );
    page(
        &person.name,
        &format!(
            "<p>{mail}</p><p>With us since {since}</p>\
             <form method=\"post\"><p><label for=\"about\">About you</label></p>\
             <p><textarea id=\"about\" name=\"about\" rows=\"4\">{about}</textarea></p>\
             <p><button>Save</button></p></form><p><a href=\"/\">Homepage</a></p>"
        ),
    )
}

pub(crate) fn directory(people: &[Person]) -> String {
    let rows: Vec<String> = people
        .iter()
        .map(|person| {
            let (name, mail) = (escaped(&person.name), escaped(&person.mail));
            format!("<tr><th scope=\"row\">{name}</th><td>{mail}</td></tr>")
        })
        .collect();
    let table = format!(
        "<table><tr><th scope=\"col\">Name</th><th scope=\"col\">Mail</th></tr>{}</table>\
         <p><a href=\"/\">Homepage</a></p>",
        rows.concat()
    );
    page("People", &table)
}

fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>:root{{color-scheme:light dark}}\
         body{{max-width:36rem;margin:2rem auto;padding:0 1rem;font:1.0625rem/1.5 system-ui,sans-serif}}\
         textarea{{width:100%;font:inherit}}button{{font:inherit;padding:.4rem 1rem}}\
         th{{text-align:left;padding-right:2rem}}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
