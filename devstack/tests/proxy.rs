//! The proxy breaks the network as it says, and mends it again.

#![allow(clippy::unwrap_used)] // the lint spares test functions only

use std::{io::ErrorKind, net::Ipv4Addr, time::Duration};

use devstack::harness::{Held, Proxy, RedisServer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

const SOON: Duration = Duration::from_secs(5);
const NOT_SOON: Duration = Duration::from_millis(200);

async fn proxied() -> (RedisServer, Proxy) {
    let redis = RedisServer::start().await.unwrap();
    let proxy = Proxy::start(redis.port()).await.unwrap();
    (redis, proxy)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap()
}

async fn say(stream: &mut TcpStream, line: &str) {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
}

/// What comes next; nothing, if nothing does soon.
async fn hear(stream: &mut TcpStream, within: Duration) -> Option<String> {
    let mut answer = [0; 100];
    let length = timeout(within, stream.read(&mut answer)).await.ok()?.unwrap();
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

async fn ask(stream: &mut TcpStream, line: &str) -> Option<String> {
    say(stream, line).await;
    hear(stream, SOON).await
}

#[tokio::test]
async fn everything_passes_until_it_is_cut_and_again_afterwards() {
    let (_redis, mut proxy) = proxied().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(ask(&mut stream, "PING").await.as_deref(), Some("+PONG\r\n"));

    proxy.cut().await;
    let closed = timeout(SOON, stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    proxy.pass().await.unwrap();
    assert_eq!(ask(&mut connect(&proxy).await, "PING").await.as_deref(), Some("+PONG\r\n"));
}

#[tokio::test]
async fn what_is_held_back_comes_through_when_it_passes_again() {
    let (redis, mut proxy) = proxied().await;
    let mut stream = connect(&proxy).await;
    proxy.hold();
    say(&mut stream, "SET a 1").await;
    say(&mut connect(&proxy).await, "SET b 1").await; // new connections stand as well
    assert_eq!(hear(&mut stream, NOT_SOON).await, None);
    assert_eq!(redis.command("DBSIZE").unwrap(), ":0");

    proxy.pass().await.unwrap();
    assert_eq!(hear(&mut stream, SOON).await.as_deref(), Some("+OK\r\n"));
    assert_eq!(redis.command("EXISTS a").unwrap(), ":1");
}

#[tokio::test]
async fn a_delay_is_had_each_way() {
    let (_redis, proxy) = proxied().await;
    let mut stream = connect(&proxy).await;
    proxy.delay(Duration::from_millis(100));
    let begun = Instant::now();
    assert_eq!(ask(&mut stream, "PING").await.as_deref(), Some("+PONG\r\n"));
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());

    // Ten that follow each other take no ten times as long.
    for _ in 0..10 {
        say(&mut stream, "PING").await;
        sleep(Duration::from_millis(20)).await;
    }
    let mut heard = 0;
    while heard < 10 * "+PONG\r\n".len() {
        heard += hear(&mut stream, SOON).await.unwrap().len();
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_swallowed_never_comes_and_its_request_was_carried_out() {
    let (redis, mut proxy) = proxied().await;
    let mut stream = connect(&proxy).await;
    proxy.swallow_answers();
    say(&mut stream, "SET a 1").await;
    assert_eq!(hear(&mut stream, NOT_SOON).await, None);
    assert_eq!(redis.command("EXISTS a").unwrap(), ":1");

    proxy.pass().await.unwrap();
    say(&mut stream, "PING").await;
    assert_eq!(hear(&mut stream, NOT_SOON).await, None, "it would be taken for the lost one");
    assert_eq!(ask(&mut connect(&proxy).await, "PING").await.as_deref(), Some("+PONG\r\n"));
}

#[tokio::test]
async fn a_trap_holds_back_the_request_or_the_answer_on_its_connection_alone() {
    let (redis, proxy) = proxied().await;
    for (held, carried_out) in [(Held::Request, ":0"), (Held::Answer, ":1")] {
        let (mut caught, mut other) = (connect(&proxy).await, connect(&proxy).await);
        redis.flush().unwrap();
        proxy.trap("SET a", held);
        say(&mut caught, "SET a 1").await;
        timeout(SOON, proxy.caught()).await.unwrap();
        assert_eq!(hear(&mut caught, NOT_SOON).await, None);
        assert_eq!(redis.command("EXISTS a").unwrap(), carried_out);
        assert_eq!(ask(&mut other, "SET a 2").await.as_deref(), Some("+OK\r\n"), "it catches one");

        proxy.release();
        assert_eq!(hear(&mut caught, SOON).await.as_deref(), Some("+OK\r\n"));
    }
}
