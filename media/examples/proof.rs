//! Temporary: the engine behind one HTTP POST, for a browser.
use mitalk_media::*;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let config = Config {
        bind: vec![args[1].parse::<SocketAddr>().unwrap()],
        ..Config::default()
    };
    let (engine, mut events) = Engine::start(config, metrics).unwrap();
    let handle = engine.handle();
    let page = args[3].clone();
    let log = Arc::new(Mutex::new(Vec::<(u128, String)>::new()));
    let now = || {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis()
    };
    let l2 = log.clone();
    tokio::spawn(async move {
        while let Some(e) = events.next().await {
            l2.lock().unwrap().push((now(), format!("{e:?}")));
        }
    });
    let http = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", args[2]))
        .await
        .unwrap();
    let next = Arc::new(AtomicU64::new(0));
    loop {
        let (mut s, _) = http.accept().await.unwrap();
        s.set_nodelay(true).unwrap();
        let (handle, page, next, log) = (handle.clone(), page.clone(), next.clone(), log.clone());
        tokio::spawn(async move {
            let mut b = Vec::new();
            let mut buf = [0; 65536];
            let (head, len) = loop {
                let n = s.read(&mut buf).await.unwrap_or(0);
                if n == 0 {
                    return;
                }
                b.extend_from_slice(&buf[..n]);
                if let Some(p) = b.windows(4).position(|w| w == b"\r\n\r\n") {
                    let h = String::from_utf8_lossy(&b[..p]).to_lowercase();
                    let l: usize = h
                        .lines()
                        .find_map(|l| l.strip_prefix("content-length: "))
                        .map_or(0, |v| v.trim().parse().unwrap());
                    if b.len() >= p + 4 + l {
                        break (p + 4, l);
                    }
                }
            };
            let first = String::from_utf8_lossy(&b[..head]).to_string();
            let url = first.split(' ').nth(1).unwrap().to_string();
            let body = String::from_utf8_lossy(&b[head..head + len]).to_string();
            let (path, q) = url.split_once('?').unwrap_or((&url, ""));
            let id: u64 = q.split('&').next().unwrap_or("").parse().unwrap_or(999999);
            let number = StageNumber(1000 + id as u32);
            let r: Result<String, String> = match path {
                "/" => Ok(std::fs::read_to_string(&page).unwrap()),
                "/join" => {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    handle
                        .join(Join {
                            room: RoomKey(1),
                            session: SessionKey(id),
                            rights: Rights::Speak(StageNumber(1000 + id as u32)),
                            offer: body,
                            grace: Duration::from_secs(30),
                        })
                        .await
                        .map(|a| serde_json::json!({"id": id, "sdp": a.sdp}).to_string())
                        .map_err(|e| e.to_string())
                }
                "/restart" => handle
                    .restart(SessionKey(id), body)
                    .await
                    .map(|a| a.sdp)
                    .map_err(|e| e.to_string()),
                "/mute" => handle
                    .set_rights(
                        SessionKey(id),
                        if q.ends_with("&off") {
                            Rights::Speak(number)
                        } else {
                            Rights::Muted(number)
                        },
                    )
                    .map(|()| "{}".into())
                    .map_err(|e| e.to_string()),
                "/leave" => handle
                    .leave(SessionKey(id))
                    .map(|()| "{}".into())
                    .map_err(|e| e.to_string()),
                _ => {
                    let st = handle.stats().await;
                    Ok(serde_json::json!({"stats": format!("{st:?}"), "log": log.lock().unwrap().clone(),
                    "sessions": st.sessions.iter().map(|s| serde_json::json!([s.session.0, s.packets_in, s.packets_out, format!("{:?}", s.link)])).collect::<Vec<_>>()}).to_string())
                }
            };
            let code = if r.is_ok() { 200 } else { 400 };
            let body = r.unwrap_or_else(|e| e);
            let _ = s.write_all(format!("HTTP/1.1 {code} -\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", if path == "/" {"text/html"} else {"application/json"}, body.len()).as_bytes()).await;
        });
    }
}
