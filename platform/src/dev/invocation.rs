//! The command that started this process, so that what is printed can be pasted.

use std::path::{Path, PathBuf};

/// Without `--data-dir` the data lies here.
pub(crate) const DATA_DIR: &str = ".platform";

/// Program and data folder, quoted for a shell.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    program: String,
    data_dir: Option<String>,
}

impl Invocation {
    /// Of this process.
    pub(crate) fn of_this_process(data_dir: &Path) -> Self {
        let program = std::env::args_os().next().map_or_else(|| PathBuf::from("platform"), PathBuf::from);
        Self::new(&program, data_dir)
    }

    pub(crate) fn new(program: &Path, data_dir: &Path) -> Self {
        let data_dir = (data_dir != Path::new(DATA_DIR)).then(|| quoted(data_dir));
        Self { program: quoted(program), data_dir }
    }

    /// The parts of a command on the same data, as in `platform`, `dev env`; a line may end between them.
    pub(crate) fn words(&self, command: &str) -> Vec<String> {
        let mut words = vec![self.program.clone(), command.to_owned()];
        words.extend(self.data_dir.iter().map(|folder| format!("--data-dir {folder}")));
        words
    }

    /// The command on one line.
    pub(crate) fn line(&self, command: &str) -> String {
        self.words(command).join(" ")
    }

    /// `dev` on other data.
    pub(crate) fn elsewhere(&self, data_dir: &str) -> String {
        format!("{} dev --data-dir {data_dir}", self.program)
    }
}

/// A path as one word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    // Refused only with U+0000, which no path has.
    shlex::try_quote(&path).map_or(path.clone(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_its_program_and_its_data_as_a_shell_reads_them() {
        let usual = Invocation::new(Path::new("target/debug/platform"), Path::new(DATA_DIR));
        assert_eq!(usual.line("dev env"), "target/debug/platform dev env");
        let other = Invocation::new(Path::new("/opt/a b/platform"), Path::new("it's"));
        assert_eq!(
            shlex::split(&other.line("dev env")).unwrap(),
            ["/opt/a b/platform", "dev", "env", "--data-dir", "it's"]
        );
    }
}
