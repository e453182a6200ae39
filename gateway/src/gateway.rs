//! ASSEMBLY: the one file that names every stage and puts them together, in the order of a call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::json::{self, ObjectWriter};
use protocol::question::Abilities;
use protocol::{Grant, Raw};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{BoxServe, Dial, Endpoint, Principal};
use crate::config::{self, Config, LinkConfig, MountConfig};
use crate::connect::{
    self, Asking, HttpDial, HttpSettings, InProcessDial, Parking, StdioDial, StdioSettings,
    TaskDial, UnixDial, UnixSettings, WebSocketDial,
};
use crate::control::{Admin, Kept, Maker, MountReport, Outcome, Publisher, Read, Reloader, report};
use crate::listen::{self, Address, Bounds, Guard, Listener, Mcp, Sse};
use crate::mount::{Mount, MountSettings, SharedDial, Sharing};
use crate::route::{Mounted, Naming, Router, Rules, Shape};
use crate::session::{Arrival, Front, Seal, Settings};

/// How often idle sessions are looked for.
const REAP_EVERY: Duration = Duration::from_secs(60);
/// The longest wait for the children to end at a stop.
const CHILDREN_END_WAIT: Duration = Duration::from_secs(10);

pub use crate::config::Children;

/// A whole gateway: mounts that keep themselves connected, a catalog, and a front.
pub struct Gateway {
    config: Config,
    reloader: Arc<Reloader>,
    router: Arc<Router>,
    front: Arc<Front>,
    parking: Parking,
    settled: watch::Receiver<bool>,
    /// Ends listeners, streams and listens.
    draining: CancellationToken,
    /// Ends the children.
    stopping: CancellationToken,
    listeners: TaskTracker,
    keepers: TaskTracker,
}

/// The addresses that a gateway listens on.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The MCP endpoints.
    pub mcp: Address,
    /// The admin endpoints.
    pub admin: Option<Address>,
}

impl Gateway {
    /// Puts a gateway together and starts to dial its mounts. Runs within a tokio runtime.
    ///
    /// # Errors
    /// A text that says what cannot be had: an unknown compiled-in child, TLS, randomness.
    pub fn start(config: Config, children: &Children) -> Result<Self, String> {
        let limits = &config.gateway.limits;
        let kept = kept(&config);
        let (draining, stopping) = (CancellationToken::new(), CancellationToken::new());
        let keepers = TaskTracker::new();
        let parking = Parking::default();
        let maker = maker(limits, children.clone(), parking.clone());
        let token = stopping.clone();
        let reloader = Reloader::start(config.clone(), maker, kept, token, keepers.clone())?;
        let (publisher, published) = Publisher::new(reloader.roster());
        let settled = published.settled.clone();
        let router =
            Router::new(published.snapshot, published.changed, published.settled, limits.settle);
        let router = Arc::new(router);
        let seal = Seal::new(config.gateway.key.as_ref().map(config::Secret::expose))?;
        let settings = Settings {
            calls_in_flight_max: limits.calls_in_flight_max,
            listens_max: limits.listens_max,
            sessions_max: limits.sessions_max,
            session_idle: limits.session_idle,
            session_age_max: limits.session_age_max,
            sessions_ended_max: limits.sessions_ended_max,
            state: state(&config).cloned(),
            question_wait: limits.question_wait,
            rounds_max: limits.rounds_max,
            replay_events_max: limits.replay_events_max,
            replay_bytes_max: limits.replay_bytes_max,
            stream_after: limits.stream_after,
        };
        let front = Front::new(Arc::clone(&router) as BoxServe, seal, settings);
        keepers.spawn(publisher.run(draining.clone()));
        keepers.spawn(reap(Arc::clone(&front), draining.clone()));
        let listeners = TaskTracker::new();
        Ok(Self {
            config,
            reloader,
            router,
            front,
            parking,
            settled,
            draining,
            stopping,
            listeners,
            keepers,
        })
    }

    /// Opens the listeners of the configuration and serves them.
    ///
    /// # Errors
    /// A text with the address that could not be had.
    pub async fn listen(&self) -> Result<Listening, String> {
        let gateway = &self.config.gateway;
        let place = match &gateway.listen {
            config::Listen::Tcp(address) => Address::Tcp(*address),
            config::Listen::Unix(path) => Address::Unix(path.clone()),
        };
        let mode = gateway.socket_mode;
        let mcp = Listener::bind(&place, mode, "gateway.listen").await?;
        let admin = match gateway.admin {
            Some(address) => {
                let place = Address::Tcp(address);
                Some(Listener::bind(&place, mode, "gateway.admin").await?)
            }
            None => None,
        };
        let at = |listener: &Listener| listener.address().clone();
        let listening = Listening { mcp: at(&mcp), admin: admin.as_ref().map(at) };
        self.keepers.spawn(self.front.keep_sessions(self.stopping.clone()));
        let guard = |at: &Address| {
            let ip = at.tcp().map(|at| at.ip());
            Guard::new(ip, &gateway.hosts, &gateway.origins)
        };
        let service = Mcp {
            front: Arc::clone(&self.front),
            guard: guard(&listening.mcp),
            body_bytes_max: gateway.limits.body_bytes_max,
            known: {
                let router = Arc::clone(&self.router);
                Arc::new(move |endpoint| router.check(endpoint))
            },
            sse: gateway.sse.then(Sse::default),
        };
        self.serve_on(mcp, service);
        if let (Some(listener), Some(at)) = (admin, &listening.admin) {
            let service = Admin {
                reloader: Arc::clone(&self.reloader),
                settled: self.settled.clone(),
                router: Arc::clone(&self.router),
                front: Arc::clone(&self.front),
                guard: guard(at),
            };
            self.serve_on(listener, service);
        }
        Ok(listening)
    }

    fn serve_on(&self, listener: Listener, service: impl listen::Service) {
        let limits = &self.config.gateway.limits;
        let bounds = Bounds {
            connections_max: limits.connections_max,
            header_read_timeout: limits.header_read_timeout,
            write_timeout: limits.write_timeout,
            drain: limits.drain,
        };
        let stop = self.draining.clone();
        self.listeners.spawn(listen::serve(listener, Arc::new(service), bounds, stop));
    }

    /// Serves one client on standard input and output; see [`Self::serve_stream`].
    pub fn serve_stdio(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        self.serve_stream(tokio::io::stdin(), tokio::io::stdout(), stop)
    }

    /// Serves one client on any two streams, one message a line, until `input` ends, `stop` cuts
    /// it off, or the gateway stops, which waits for what is under way.
    pub fn serve_stream<I, O>(
        &self,
        input: I,
        output: O,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<I, O>
    where
        I: AsyncRead + Send + Unpin + 'static,
        O: AsyncWrite + Send + Unpin + 'static,
    {
        self.serve_stream_of(Principal::anonymous(), Arc::default(), (input, output), stop)
    }

    /// The same for a client that whoever embeds the gateway has authenticated: who it is, its
    /// claims and its scopes. Children learn of them as of those that the front itself knows.
    pub fn serve_stream_of<I, O>(
        &self,
        principal: Principal,
        grant: Arc<Grant>,
        (input, output): (I, O),
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<I, O>
    where
        I: AsyncRead + Send + Unpin + 'static,
        O: AsyncWrite + Send + Unpin + 'static,
    {
        let arrival = Arrival { endpoint: Endpoint::Merged, principal, grant, head: None };
        let limits = &self.config.gateway.limits;
        let drain = self.draining.clone();
        let ending = listen::Ending { stop, drain, drain_wait: limits.drain };
        let (front, max) = (Arc::clone(&self.front), limits.body_bytes_max);
        let serving = listen::serve_stdio(front, arrival, (input, output), max, ending);
        self.listeners.track_future(serving)
    }

    /// Answers calls directly, without a transport.
    pub fn serve(&self) -> BoxServe {
        Arc::clone(&self.router) as BoxServe
    }

    /// The checked configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The state of all mounts in file order.
    pub fn mounts(&self) -> Vec<MountReport> {
        let snapshot = self.router.snapshot();
        let roster = Arc::clone(&self.reloader.roster().borrow());
        roster.members.iter().map(|one| report(&one.mounted, &one.mount, &snapshot)).collect()
    }

    /// Where [`Self::reload`] and `POST /reload` read the configuration from.
    pub fn reload_from(&self, read: Read) {
        self.reloader.read_from(read);
    }

    /// Reads the configuration and puts it in force, if there is nothing wrong with it. Mounts
    /// whose entry did not change are not touched; calls in flight end on what they began with.
    pub async fn reload(&self) -> Outcome {
        self.reloader.reload().await
    }

    /// Reloads after each change of `file`, until the gateway stops.
    pub fn reload_on_change(&self, file: PathBuf) {
        self.keepers.spawn(Arc::clone(&self.reloader).watch(file, self.draining.clone()));
    }

    /// Waits until every mount was reached or given up for now, at most `wait`; whether it was.
    pub async fn settled(&self, wait: Duration) -> bool {
        let mut settled = self.settled.clone();
        matches!(timeout(wait, settled.wait_for(|settled| *settled)).await, Ok(Ok(_)))
    }

    /// Stops in order: no new requests, those under way end within the bound, then the children.
    pub async fn stop(self) {
        let drain = self.config.gateway.limits.drain;
        self.draining.cancel();
        self.listeners.close();
        let drained = async {
            self.front.drain().await;
            self.listeners.wait().await;
        };
        if timeout(drain, drained).await.is_err() {
            tracing::warn!(?drain, "requests were still under way after the drain");
        }
        self.stopping.cancel();
        self.keepers.close();
        if timeout(CHILDREN_END_WAIT, self.keepers.wait()).await.is_err() {
            tracing::error!(wait = ?CHILDREN_END_WAIT, "children did not end in time");
        }
        self.parking.end().await;
    }
}

async fn reap(front: Arc<Front>, stop: CancellationToken) {
    let mut ticks = interval(REAP_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => front.reap(),
        }
    }
}

/// Where what outlives a gateway is kept.
fn state(config: &Config) -> Option<&PathBuf> {
    match &config.gateway.state {
        config::State::Folder(folder) => Some(folder),
        _ => None,
    }
}

/// The catalogs of earlier runs. Without a folder that can be used the gateway serves all the same.
fn kept(config: &Config) -> Option<Arc<Kept>> {
    let folder = state(config)?;
    match Kept::open(folder) {
        Ok(kept) => Some(Arc::new(kept)),
        Err(fault) => {
            let folder = folder.display();
            tracing::warn!(%folder, %fault, "no catalog is kept: correct `gateway.state`");
            None
        }
    }
}

/// How mounts are made, now and at each reload.
fn maker(limits: &config::Limits, children: Children, parking: Parking) -> Maker {
    let turns = Arc::new(Semaphore::new(limits.starts_max));
    let question_wait = limits.question_wait;
    let mount = move |entry: &MountConfig| {
        let asking = asking(entry, question_wait).parking_at(&parking);
        let links = std::iter::once(&entry.link).chain(&entry.replicas);
        let dials = links.map(|link| dial(entry, link, &children, &turns, asking.clone()));
        Ok(Mount::new(policy(entry), dials.collect::<Result<_, _>>()?))
    };
    Maker { mount: Box::new(mount), mounted, naming }
}

fn naming(config: &Config) -> Naming {
    let gateway = &config.gateway;
    Naming {
        separator: gateway.separator.clone(),
        name_max: gateway.name_max,
        page_entries: gateway.limits.page_entries,
        ttl: gateway.limits.catalog_ttl,
        instructions: gateway.instructions.clone(),
    }
}

fn mounted(entry: &MountConfig, serve: BoxServe) -> Mounted {
    let rules = |shape: &config::Shape| {
        let hide = shape.clone();
        Rules {
            hidden: Box::new(move |name| hide.hide.iter().any(|glob| glob.matches(name))),
            renamed: shape.rename.clone(),
        }
    };
    Mounted {
        name: entry.name.as_str().into(),
        prefix: entry.prefix.as_str().into(),
        shape: Shape {
            tools: rules(&entry.tools),
            prompts: rules(&entry.prompts),
            keep_uris: entry.resources == config::Resources::Keep,
        },
        serve,
    }
}

fn policy(entry: &MountConfig) -> MountSettings {
    let remote = entry.link.is_remote();
    MountSettings {
        name: entry.name.as_str().into(),
        timeout: entry.timeout,
        timeout_max: entry.timeout_max,
        timeout_dial: if remote { entry.timeout_connect } else { entry.timeout_start },
        calls_in_flight_max: entry.calls_in_flight_max,
        calls_queued_max: entry.calls_queued_max,
        queue_wait: entry.queue_wait,
        bytes_in_flight_max: entry.bytes_in_flight_max,
        answer_bytes_max: entry.answer_bytes_max,
        retries: u32::try_from(entry.retries).unwrap_or(u32::MAX),
        retries_percent: entry.retries_percent,
        retries_floor: entry.retries_floor,
        trust_annotations: entry.trust_annotations,
        pages_max: entry.pages_max,
        entries_max: entry.entries_max,
        remote,
        running: entry.running,
        health: entry.health.clone(),
        tells_caller: entry.tells_caller,
    }
}

fn pin(era: config::EraPin) -> connect::EraPin {
    match era {
        config::EraPin::Auto => connect::EraPin::Auto,
        config::EraPin::Legacy => connect::EraPin::Legacy,
        config::EraPin::Modern => connect::EraPin::Modern,
    }
}

fn dial(
    entry: &MountConfig,
    link: &LinkConfig,
    children: &Children,
    turns: &Arc<Semaphore>,
    asking: Asking,
) -> Result<Arc<dyn Dial>, String> {
    let name = entry.name.as_str();
    let dial: Arc<dyn Dial> = match link {
        LinkConfig::InProcess { child, options } => {
            let make = children.get(child.as_str()).ok_or_else(|| {
                let known: Vec<_> = children.keys().copied().collect();
                let known = known.join(", ");
                format!("mounts.{name}.in_process: no child `{child}` here; known are {known}")
            })?;
            let child = make.make(options).map_err(|wrong| {
                let wrong: Vec<_> =
                    wrong.iter().map(|one| format!("{name}.options.{one}")).collect();
                wrong.join("; ")
            })?;
            Arc::new(InProcessDial::new(name, child))
        }
        LinkConfig::Process { command, args, env, cwd } => {
            let mut settings = StdioSettings::new(name, command.as_str());
            settings.args = args.iter().map(|arg| arg.expose().to_owned()).collect();
            settings.env =
                env.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())).collect();
            settings.cwd = cwd.clone();
            settings.turns = Arc::clone(turns);
            settings.era = pin(entry.era);
            settings.probe_wait = entry.probe_wait;
            settings.message_bytes_max = entry.result_bytes_max;
            settings.asking = asking;
            Arc::new(StdioDial::new(settings))
        }
        LinkConfig::Http { url, shown, headers } => {
            let transport = match entry.transport {
                config::Transport::Auto => connect::Transport::Auto,
                config::Transport::Http => connect::Transport::Streamable,
                config::Transport::Sse => connect::Transport::Sse,
            };
            let settings = http(entry, (url, shown, headers), asking)?;
            let settings = HttpSettings { transport, ..settings };
            Arc::new(HttpDial::new(settings).map_err(|fault| fault.text)?)
        }
        LinkConfig::WebSocket { url, shown, headers } => {
            let settings = http(entry, (url, shown, headers), asking)?;
            let dial = WebSocketDial::new(settings, entry.probe_wait);
            Arc::new(dial.map_err(|fault| fault.text)?)
        }
        LinkConfig::Unix { path } => Arc::new(UnixDial::new(UnixSettings {
            mount: name.into(),
            path: path.clone(),
            era: pin(entry.era),
            probe_wait: entry.probe_wait,
            message_bytes_max: entry.result_bytes_max,
            connect_timeout: entry.timeout_connect,
            asking,
        })),
    };
    Ok(shared(entry, link, TaskDial::around(name, dial)))
}

/// How the child of a mount may ask the clients that call it.
fn asking(entry: &MountConfig, question_wait: Duration) -> Asking {
    let roots = entry.sharing.roots.iter().map(|uri| ObjectWriter::new().string("uri", uri));
    let roots: Vec<_> = roots.map(ObjectWriter::finish).collect();
    let roots = (!roots.is_empty()).then(|| json::array(roots.iter().map(Raw::as_str)));
    let asking = Asking::new(entry.name.as_str(), entry.parked_max, question_wait);
    let apart = entry.sharing.share != config::Share::All;
    let sharing = &entry.sharing;
    let one_at_a_time = sharing.interactive.then_some(sharing.given_up_wait);
    let asking = asking.with_roots(roots).one_at_a_time(one_at_a_time);
    asking.apart(apart).lasting(entry.timeout_max)
}

/// A connection for everybody, or one for each caller, session or kind of client.
fn shared(entry: &MountConfig, link: &LinkConfig, dial: Arc<dyn Dial>) -> Arc<dyn Dial> {
    let config = &entry.sharing;
    let sharing = Sharing {
        share: config.share,
        // Over HTTP another session costs little; elsewhere it is another process or state.
        only_one: !matches!(link, LinkConfig::Http { .. }),
        answered: Abilities { roots: !config.roots.is_empty(), ..Abilities::default() },
        links_max: config.links_max,
        link_idle: config.link_idle,
    };
    SharedDial::around(dial, sharing)
}

fn http(
    entry: &MountConfig,
    (url, shown, headers): (&config::Secret, &str, &[(String, config::Secret)]),
    asking: Asking,
) -> Result<HttpSettings, String> {
    let name = entry.name.as_str();
    let bad = |what: &str| format!("mounts.{name}.{what} is not usable as it is");
    let header = |(key, value): &(String, config::Secret)| {
        let wrong = || bad(&format!("headers.{key}"));
        let key = http::HeaderName::try_from(key.as_str()).map_err(|_| wrong())?;
        let mut value = http::HeaderValue::try_from(value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok((key, value))
    };
    Ok(HttpSettings {
        mount: name.into(),
        url: url.expose().parse().map_err(|_| bad("url"))?,
        shown: shown.to_owned(),
        headers: headers.iter().map(header).collect::<Result<_, String>>()?,
        transport: connect::Transport::Auto,
        era: pin(entry.era),
        message_bytes_max: entry.result_bytes_max,
        connect_timeout: entry.timeout_connect,
        asking,
    })
}
