//! `launchgate serve`: the service on one machine, for trying out and for small set-ups.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use clap::Args;
use launchgate_service::{Environment, GateService, LogFormat, init_logs, listen, terminated};

use crate::{
    command_line::{ConfigArgument, block_on},
    failure::Failure,
    output::Output,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Listens on 127.0.0.1 only. Ctrl-C stops it; what is under way is finished first.

Examples:
  launchgate serve
  LAUNCHGATE_VERTEX_ENDPOINT=http://127.0.0.1:9000 launchgate serve --port 8080
  launchgate send event.json --to http://127.0.0.1:8080/pubsub/events

Exit codes: 0 stopped · 1 the ledger or the port cannot be had · 2 the triggers file has errors")]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigArgument,
    /// Port on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

impl Serve {
    pub(crate) fn run(self, output: &Output) -> Result<u8, Failure> {
        let config = Arc::new(self.config.load()?);
        let environment = Environment::of_process();
        init_logs(LogFormat::Text, environment.get("LAUNCHGATE_LOG"), None);
        block_on(async {
            let stop = terminated();
            let service =
                GateService::start(config, &self.config.folder(), &environment).map_err(Failure::Usage)?;
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port);
            let cannot =
                |error: std::io::Error| anyhow::Error::new(error).context(format!("listening on {address}"));
            let listener = listen(address).await.map_err(cannot)?;
            let address = listener.local_addr().map_err(anyhow::Error::from)?;
            output.data(&format!("http://{address}"))?;
            service.serve(listener, stop).await.map_err(anyhow::Error::from)?;
            Ok(0)
        })
    }
}
