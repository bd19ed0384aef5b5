//! A network that can be broken: a proxy in front of a port.

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc::unbounded_channel, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{error::HarnessError, port::free_port};

/// How much is forwarded at a time.
const CHUNK: usize = 16 * 1024;

/// How often it is tried to listen at the port again.
const BINDS: u32 = 50;

/// Between those tries.
const PAUSE: Duration = Duration::from_millis(20);

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Pass,
    Hold,
    Delay(Duration),
    SwallowAnswers,
}

/// What a trap holds back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Held {
    /// The request itself: the server does not hear of it.
    Request,
    /// Everything that the server says on that connection from then on, the answer first.
    Answer,
}

/// Waits for a request.
#[derive(Debug, Default)]
struct Trap {
    /// What is in the request, and what is to be held back then.
    set: Mutex<Option<(Vec<u8>, Held)>>,
    /// Whether it has come.
    sprung: watch::Sender<bool>,
}

impl Trap {
    /// What is to be held back from now on, if this is the request.
    fn spring(&self, request: &[u8]) -> Option<Held> {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let (sought, held) = set.as_ref()?;
        request.windows(sought.len()).any(|window| window == sought).then_some(())?;
        let held = *held;
        *set = None;
        self.sprung.send_replace(true);
        Some(held)
    }

    async fn released(&self) {
        // The sender is in `self`, so the channel cannot close.
        drop(self.sprung.subscribe().wait_for(|sprung| !sprung).await);
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Request,
    Answer,
}

/// A proxy on a loopback port of its own that forwards connections to another loopback port, well or badly. Dropped, it
/// closes all of them. Needs the runtime that it was started in.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    to: u16,
    mode: watch::Sender<Mode>,
    trap: Arc<Trap>,
    /// Accepts, and has the connections. None runs when the network is cut.
    acceptor: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy in front of `to`. Everything passes.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub async fn start(to: u16) -> Result<Self, HarnessError> {
        let port = free_port().map_err(HarnessError::system("find a free port"))?;
        let mut proxy =
            Self { port, to, mode: watch::Sender::new(Mode::Pass), trap: Arc::default(), acceptor: JoinSet::new() };
        proxy.listen().await?;
        Ok(proxy)
    }

    /// Its port on the loopback interface.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets everything pass again, what was held back too. Connections that were cut stay so.
    ///
    /// # Errors
    ///
    /// When somebody has taken its port while it was cut.
    pub async fn pass(&mut self) -> Result<(), HarnessError> {
        self.mode.send_replace(Mode::Pass);
        if self.acceptor.is_empty() { self.listen().await } else { Ok(()) }
    }

    /// Closes all connections and refuses new ones, as when the server is gone.
    pub async fn cut(&mut self) {
        self.acceptor.shutdown().await;
    }

    /// Holds back everything that is sent from now on: connections stand, and nothing comes through, as when a cable is
    /// pulled.
    pub fn hold(&self) {
        self.mode.send_replace(Mode::Hold);
    }

    /// Lets everything take this much longer, each way.
    pub fn delay(&self, by: Duration) {
        self.mode.send_replace(Mode::Delay(by));
    }

    /// Lets requests pass and loses the answers. A connection that has lost one gets none any more: the next would be
    /// taken for the lost one.
    pub fn swallow_answers(&self) {
        self.mode.send_replace(Mode::SwallowAnswers);
    }

    /// Waits for a request that contains `sought`, and holds back what is said until [`release`](Self::release). All
    /// other connections pass. A request that comes in pieces may not be seen.
    pub fn trap(&self, sought: impl Into<Vec<u8>>, held: Held) {
        self.trap.sprung.send_replace(false);
        *self.trap.set.lock().unwrap_or_else(PoisonError::into_inner) = Some((sought.into(), held));
    }

    /// Waits until the trap has caught its request.
    pub async fn caught(&self) {
        // The sender is in `self`, so the channel cannot close.
        drop(self.trap.sprung.subscribe().wait_for(|sprung| *sprung).await);
    }

    /// Lets pass what the trap holds, and takes it away.
    pub fn release(&self) {
        *self.trap.set.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.trap.sprung.send_replace(false);
    }

    async fn listen(&mut self) -> Result<(), HarnessError> {
        let mut tries = 0;
        let listener = loop {
            tries += 1;
            match TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await {
                Ok(listener) => break listener,
                Err(error) if tries == BINDS => return Err(HarnessError::system("listen at the proxy's port")(error)),
                Err(_) => sleep(PAUSE).await,
            }
        };
        self.acceptor.spawn(accept(listener, self.to, self.mode.subscribe(), Arc::clone(&self.trap)));
        Ok(())
    }
}

async fn accept(listener: TcpListener, to: u16, mode: watch::Receiver<Mode>, trap: Arc<Trap>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(connections.spawn(connect(client, to, mode.clone(), Arc::clone(&trap)))),
                Err(_) => sleep(PAUSE).await, // no file left for it
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Forwards one connection until both sides have closed it, or one is broken.
async fn connect(client: TcpStream, to: u16, mode: watch::Receiver<Mode>, trap: Arc<Trap>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap_or_default(); // it would only be slower
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let held = AtomicBool::new(false);
    let requests = forward(Way::Request, client_read, server_write, mode.clone(), (&trap, &held));
    let answers = forward(Way::Answer, server_read, client_write, mode, (&trap, &held));
    drop(tokio::try_join!(requests, answers)); // a broken connection is what it is for
}

async fn forward(
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    (trap, held): (&Trap, &AtomicBool),
) -> io::Result<()> {
    // What is delayed does not delay what comes behind it.
    let (sender, mut chunks) = unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = from.read(&mut chunk).await?;
            if sender.send((Instant::now(), chunk[..length].to_vec())).is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    let writing = async {
        let mut mute = false;
        while let Some((at, chunk)) = chunks.recv().await {
            // A proxy that is dropped ends this task as well.
            let now = mode.wait_for(|mode| *mode != Mode::Hold).await.map_or(Mode::Pass, |mode| *mode);
            if let Mode::Delay(by) = now {
                sleep_until(at + by).await;
            }
            if chunk.is_empty() {
                return to.shutdown().await;
            }
            match way {
                Way::Request => match trap.spring(&chunk) {
                    Some(Held::Request) => trap.released().await,
                    Some(Held::Answer) => held.store(true, Ordering::Relaxed), // before it is sent
                    None => {}
                },
                Way::Answer if held.load(Ordering::Relaxed) => trap.released().await,
                Way::Answer => {}
            }
            mute |= way == Way::Answer && now == Mode::SwallowAnswers;
            if !mute {
                to.write_all(&chunk).await?;
            }
        }
        Ok(())
    };
    tokio::try_join!(reading, writing).map(drop)
}
