//! `mitalk serve`.

use super::{Failure, SourceArgs, banner};
use crate::node::Node;
use crate::telemetry;
use anyhow::Context as _;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ended by a second signal, as shells count it: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// `mitalk serve`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The app's address; short for --set http.listen=...
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where state is kept; short for --set storage.data_dir=...
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self, mut sources: SourceArgs) -> Result<(), Failure> {
        sources
            .set
            .extend(self.listen.map(|address| format!("http.listen=\"{address}\"")));
        sources.set.extend(
            self.data_dir
                .map(|path| format!("storage.data_dir=\"{}\"", path.display())),
        );
        let config = sources.load()?;
        let log = telemetry::start(&config.log)
            .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let served = runtime.block_on(async {
            let mut signals = Signals::new()?;
            let node = tokio::select! {
                started = Node::start(&config) => started.context("Mi Talk did not start")?,
                () = signals.next() => return Ok(()),
            };
            banner::show(node.addresses());
            // Rule 1: a node that lost its name, or whose root failed, serves nobody any more. Whoever runs the process
            // starts it again.
            let ended = tokio::select! {
                () = signals.next() => None,
                reason = node.ended() => Some(reason),
            };
            match &ended {
                None => tracing::info!("stopping; a second signal ends at once"),
                Some(reason) => tracing::error!(reason, "the node has ended; stopping"),
            }
            tokio::select! {
                stopped = node.stop() => stopped?,
                () = signals.next() => {
                    tracing::warn!("ended at once");
                    std::process::exit(INTERRUPTED);
                }
            }
            tracing::info!("stopped");
            match ended {
                None => Ok(()),
                Some(reason) => Err(anyhow::anyhow!("the node has ended: {reason}")),
            }
        });
        // What still runs on blocking threads is not waited for: everything that matters has been stopped above.
        runtime.shutdown_background();
        drop(log);
        Ok(served?)
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Taken so that a write beyond a limit of the system (`ulimit -f`) fails like any other, instead of ending the process.
    _file_size: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            _file_size: listen(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
