//! One run of a program: with a time limit, captured, in a process group of its own that ends with this process.

use crate::{home, redact::redact};
use runbook_file::Cluster;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    ffi::OsStr,
    io,
    path::Path,
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    process::{Child, Command},
    time::{error::Elapsed, timeout},
};

/// Where a call says nothing else.
const LIMIT: Duration = Duration::from_secs(30);
/// From being asked to end until being killed.
const GRACE: Duration = Duration::from_secs(2);
/// The same for what has something to write down first.
const LONG_GRACE: Duration = Duration::from_secs(10);
/// More output than this is read and thrown away.
const CAPTURED: u64 = 4 * 1024 * 1024;

/// A program with its arguments, not run yet.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    program: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    folder: Option<std::path::PathBuf>,
    input: Option<String>,
    limit: Duration,
}

/// Why a program did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It is not on PATH.
    #[error("{0} is not installed")]
    NotThere(&'static str),
    /// It was ended.
    #[error("{program} did not end within {} s", limit.as_secs_f64())]
    TimedOut {
        /// Which.
        program: &'static str,
        /// What it was given.
        limit: Duration,
    },
    /// It ended, and says that it failed.
    #[error("{}", first_line(said))]
    Failed {
        /// None: it was ended by a signal.
        code: Option<i32>,
        /// What it wrote, redacted.
        said: String,
    },
    /// The system does not run it.
    #[error("{program} cannot be run: {error}")]
    System {
        /// Which.
        program: &'static str,
        /// Why.
        error: io::Error,
    },
}

/// How a call ended that was to end early.
#[derive(Debug)]
pub(crate) enum Ran<T> {
    /// By itself.
    Ended(Result<String, CallError>),
    /// Because of this.
    Happened(T),
}

impl Call {
    pub(crate) fn new(program: &'static str) -> Self {
        Self { program, arguments: vec![], environment: vec![], folder: None, input: None, limit: LIMIT }
    }

    #[must_use]
    pub(crate) fn args<Text: Into<String>>(mut self, arguments: impl IntoIterator<Item = Text>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// At a cluster by its context, whose option the program calls so: the user's own current context is neither used nor
    /// changed.
    #[must_use]
    pub(crate) fn at(self, cluster: &Cluster, context: &str) -> Self {
        let call = self.args([context, &cluster.context]);
        match &cluster.kubeconfig {
            Some(path) => call.args(["--kubeconfig".to_owned(), home::expand(path).display().to_string()]),
            None => call,
        }
    }

    #[must_use]
    pub(crate) fn within(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// What it reads on its standard input: of arguments and environment others can see more.
    #[must_use]
    pub(crate) fn input(self, text: String) -> Self {
        Self { input: Some(text), ..self }
    }

    #[must_use]
    pub(crate) fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The literal command, as it can be typed; what is secret in it blotted out.
    pub(crate) fn literal(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = std::iter::once(self.program.to_owned()).chain(self.arguments.iter().map(|word| quoted(word)));
        redact(&environment.chain(words).collect::<Vec<_>>().join(" "), &[])
    }

    /// What it printed on standard output, when it succeeded.
    pub(crate) async fn run(&self) -> Result<String, CallError> {
        let mut group = Group::of(self.spawn()?);
        match timeout(self.limit, finish(&mut group.child, self.input.as_deref())).await {
            Ok(Ok((status, out, err))) => outcome(status, out, &err),
            Ok(Err(error)) => Err(CallError::System { program: self.program, error }),
            Err(_) => {
                group.end(GRACE).await;
                Err(CallError::TimedOut { program: self.program, limit: self.limit })
            }
        }
    }

    /// The same, ended when something else happens first: asked, and killed when it has not ended 10 s later, which is
    /// what helm needs to write down how far it came. What it says meanwhile is read, or it would die of that.
    pub(crate) async fn run_unless<T>(&self, happens: impl Future<Output = T>) -> Ran<T> {
        let mut group = match self.spawn() {
            Ok(child) => Group::of(child),
            Err(error) => return Ran::Ended(Err(error)),
        };
        let leader = group.leader;
        let ended = |ended: Result<io::Result<Finished>, Elapsed>| match ended {
            Ok(Ok((status, out, err))) => outcome(status, out, &err),
            Ok(Err(error)) => Err(CallError::System { program: self.program, error }),
            Err(_) => Err(CallError::TimedOut { program: self.program, limit: self.limit }),
        };
        let mut finished = pin!(timeout(self.limit, finish(&mut group.child, self.input.as_deref())));
        let happened = tokio::select! {
            biased;
            end = &mut finished => return Ran::Ended(ended(end)),
            happened = happens => happened,
        };
        signal(leader, Signal::TERM);
        // Dropped after this, what has not ended is killed.
        let _ = timeout(LONG_GRACE, finished).await;
        Ran::Happened(happened)
    }

    fn spawn(&self) -> Result<Child, CallError> {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, OsStr::new(value))));
        // Nobody is there to type a password.
        command.env("GIT_TERMINAL_PROMPT", "0");
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        ends_with_us(&mut command);
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CallError::NotThere(self.program),
            _ => CallError::System { program: self.program, error },
        })
    }
}

/// How it ended, and what it said on either stream.
type Finished = (ExitStatus, String, String);

async fn finish(child: &mut Child, input: Option<&str>) -> io::Result<Finished> {
    let (told, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let ((), out, err) = tokio::join!(write(told, input.unwrap_or_default()), read(out), read(err));
    Ok((child.wait().await?, out?, err?))
}

fn outcome(status: ExitStatus, out: String, err: &str) -> Result<String, CallError> {
    if status.success() {
        return Ok(out);
    }
    let said = if err.trim().is_empty() { out.as_str() } else { err };
    Err(CallError::Failed { code: status.code(), said: redact(said.trim(), &[]) })
}

/// Whoever does not read to the end says itself what that leads to.
async fn write(pipe: Option<impl AsyncWrite + Unpin>, text: &str) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(text.as_bytes()).await;
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let Some(mut pipe) = pipe else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    (&mut pipe).take(CAPTURED).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn quoted(word: &str) -> String {
    // Shells read these as they are; quotes around them would only be in a reader's way.
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte)) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), std::borrow::Cow::into_owned)
}

/// For a line that says itself that it is an error. What libraries log on the way, as Kubernetes' do, is for nobody.
fn first_line(said: &str) -> &str {
    let mut lines = said.lines().filter(|line| !line.trim().is_empty());
    let line = lines.clone().find(|line| !is_logged(line)).or_else(|| lines.next());
    line.map_or("it failed and said nothing", |line| line.trim_start_matches("error: "))
}

/// `E1130 22:58:25.155924    9046 memcache.go:265] …`
fn is_logged(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_level = |word: &str| {
        word.strip_prefix(['E', 'W', 'I', 'F']).is_some_and(|day| day.len() == 4 && day.parse::<u16>().is_ok())
    };
    words.next().is_some_and(is_level) && words.next().is_some_and(|time| time.contains(':'))
}

/// A child and all that it started. Dropped, they are killed.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, leader }
    }

    /// Asks, then kills.
    async fn end(&mut self, grace: Duration) {
        signal(self.leader, Signal::TERM);
        // What ended may have left children of its own, of the same group; they are killed when this is dropped.
        let _ = timeout(grace, self.child.wait()).await;
    }
}

/// To a group, by its leader.
fn signal(leader: Option<Pid>, signal: Signal) {
    if let Some(leader) = leader {
        let _ = kill_process_group(leader, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // One that was waited for may be another's number by now.
        if self.child.id().is_some() {
            signal(self.leader, Signal::KILL);
        }
    }
}

/// Also when this process is killed, which no destructor survives.
#[cfg(target_os = "linux")]
fn ends_with_us(command: &mut Command) {
    let end = || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
    #[expect(unsafe_code, reason = "between fork and exec; it is one system call that allocates nothing")]
    // SAFETY: `prctl` is async-signal-safe, and nothing else happens here.
    unsafe {
        command.pre_exec(end)
    };
}

#[cfg(not(target_os = "linux"))]
fn ends_with_us(_: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use tokio::time::sleep;

    fn shell(script: &str) -> Call {
        Call::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn what_it_prints_is_captured_and_what_it_says_of_a_failure_is_redacted() {
        assert_eq!(shell("printf one; echo two >&2").run().await.unwrap(), "one");
        assert_eq!(shell("cat").run().await.unwrap(), "", "there is nothing to read, and nobody to wait for");
        assert_eq!(shell("cat").input("t0ken".to_owned()).run().await.unwrap(), "t0ken");
        assert_eq!(shell("true").input("x".repeat(1 << 20)).run().await.unwrap(), "", "it need not read");
        let failed = shell("echo; echo 'no postgresql://ada:hunter2@db/api' >&2; exit 3").run().await.unwrap_err();
        assert_eq!(failed.to_string(), "no postgresql://ada:[redacted]@db/api");
        assert!(matches!(failed, CallError::Failed { code: Some(3), .. }));
    }

    #[test]
    fn the_line_for_people_is_not_one_of_a_log() {
        let logged = "E1130 22:58:25.155924    9046 memcache.go:265] \"Unhandled Error\" err=\"couldn't get it\"";
        let said = format!("{logged}\n{logged}\nThe connection to the server 127.0.0.1:1 was refused");
        assert_eq!(first_line(&said), "The connection to the server 127.0.0.1:1 was refused");
        assert_eq!(first_line(logged), logged);
        assert_eq!(first_line("\nerror: no context"), "no context");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = Call::new("no-such-program").run().await.unwrap_err();
        assert_eq!(error.to_string(), "no-such-program is not installed");
    }

    #[tokio::test]
    async fn a_flood_is_read_to_its_end_and_kept_in_part() {
        let out = shell("head -c 9000000 /dev/zero | tr '\\0' x").run().await.unwrap();
        assert_eq!(out.len() as u64, CAPTURED);
    }

    #[tokio::test]
    async fn a_time_limit_ends_it_with_everything_that_it_started() {
        let start = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        let script = "sleep 60 & echo $! > pid; wait";
        let error = shell(script).within(folder.path()).limit(Duration::from_millis(300)).run().await.unwrap_err();
        assert_eq!(error.to_string(), "sh did not end within 0.3 s");
        assert!(start.elapsed() < Duration::from_secs(10));
        let child = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let gone = async || {
            while is_alive(child.trim()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(5), gone()).await.expect("its child ends too");
    }

    fn is_alive(pid: &str) -> bool {
        // A child that nobody waits for stays as a zombie until init has seen it.
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("State:") && !status.contains("State:\tZ")
    }

    #[test]
    fn the_literal_command_can_be_typed() {
        let call = Call::new("aws").args(["rds", "wait", "it's"]).env("AWS_PROFILE", "production");
        assert_eq!(call.literal(), "AWS_PROFILE=production aws rds wait \"it's\"");
    }

    #[tokio::test]
    async fn what_is_ended_early_can_still_say_so_and_write_down_how_far_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'echo cancelled; echo written > how-far; exit 1' TERM; while :; do sleep 0.05; done";
        let ran = shell(script).within(folder.path()).run_unless(sleep(Duration::from_millis(300))).await;
        assert!(matches!(ran, Ran::Happened(())));
        assert_eq!(std::fs::read_to_string(folder.path().join("how-far")).unwrap(), "written\n");
    }
}
