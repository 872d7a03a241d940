//! The limit of the driver on this machine: its loads on a server that answers and does nothing else.

use std::io;
use std::time::Duration;

use casque_load::{Kind, Plan, User, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}/cas", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    for kind in [Kind::Sso, Kind::Validate] {
        let user = User {
            name: "alice".to_owned(),
            password: "wonderland".to_owned(),
        };
        let mut plan = Plan::new(&base, kind, vec![user]);
        plan.duration = Duration::from_secs(5);
        plan.batch = 10_000;
        let report = run(plan, |_| {}).await?;
        #[expect(clippy::print_stdout, reason = "the result of an example")]
        {
            println!("{}\n", report.to_table());
        }
    }
    Ok(())
}

/// Answers requests of one packet each, by nothing but how they begin.
async fn serve(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut input = vec![0; 16 * 1024];
    loop {
        let read = socket.read(&mut input).await?;
        let request = &input[..read];
        let answer = if read == 0 {
            return Ok(());
        } else if request.starts_with(b"GET /cas/p3/") {
            SUCCESS.to_owned()
        } else if request.starts_with(b"POST ") || contains(request, b"ookie: s=1") {
            format!(
                "HTTP/1.1 302 Found\r\nset-cookie: s=1; path=/cas\r\nlocation: {TICKET}\r\ncontent-length: 0\r\n\r\n"
            )
        } else {
            let length = FORM.len();
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{FORM}"
            )
        };
        socket.write_all(answer.as_bytes()).await?;
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

const FORM: &str =
    "<form method=post><input name=username><input name=password type=password></form>";
const TICKET: &str = "http://127.0.0.1:9/?ticket=ST-1-abcdefghijklmnopqrstuvwxyz012";
const SUCCESS: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: 163\r\n\r\n\
<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\
<cas:authenticationSuccess><cas:user>alice</cas:user></cas:authenticationSuccess>\
</cas:serviceResponse>";
