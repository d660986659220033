//! Making an image, step by step; a step that was finished is not done again.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::{Image, Manifest, initrd, kernel, namespace};
use crate::Error;
use crate::catalogue::{Catalogue, Language};

const RECIPE: &str = include_str!("../../../../guest/machine/recipe.toml");

/// How many packages are installed at a time: enough to be quick, few enough to go on from when interrupted.
const BATCH: usize = 40;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    suite: String,
    mirror: String,
    kernel: String,
    modules: Vec<String>,
    packages: Vec<String>,
    exclude: Vec<String>,
    disk: String,
}

/// What image to make, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the image, made if it is missing.
    pub folder: PathBuf,
    /// Its name.
    pub name: String,
    /// Sets and single languages beside `base`; `full` is all.
    pub sets: Vec<String>,
    /// Archives of languages that the user downloaded.
    pub add: Vec<PathBuf>,
    /// The agent, statically linked; `None` builds it from this project's sources.
    pub agent: Option<PathBuf>,
    /// Another mirror of Debian than the recipe's.
    pub mirror: Option<String>,
}

/// What happens while an image is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A step begins.
    Step {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        total: usize,
        /// What it does.
        title: &'a str,
    },
    /// The step was done by an earlier, interrupted build.
    Skipped,
    /// One line of what a tool says.
    Line(&'a str),
}

/// Makes an image, or finishes one whose making was interrupted.
///
/// Needs `mmdebstrap`, `mke2fs` and `qemu-img`, and either root or subordinate identities (`/etc/subuid`) and
/// user name spaces.
///
/// # Errors
/// [`Error::Build`] with the step and its last lines.
pub fn build(options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Image, Error> {
    let recipe: Recipe = toml::from_str(RECIPE).map_err(|error| Error::Catalogue(error.to_string()))?;
    let catalogue = Catalogue::built_in()?;
    let languages = languages(catalogue, &options.sets, &options.add)?;
    let work = options.folder.join("work");
    namespace::check().map_err(|error| Error::Build { step: "beginning".to_owned(), message: error.to_string() })?;
    fs::create_dir_all(&work).map_err(|error| Error::io("the image's folder", error))?;
    let plan = Plan { options, recipe, languages, work };
    let steps = plan.steps();
    let total = steps.len();
    for (index, (title, work)) in steps.iter().enumerate() {
        progress(Progress::Step { number: index + 1, total, title });
        let stamp = plan.work.join(format!("done {}", title.replace('/', " ")));
        if stamp.exists() {
            progress(Progress::Skipped);
            continue;
        }
        work(&mut |line| progress(Progress::Line(line)))
            .and_then(|()| fs::write(&stamp, ""))
            .map_err(|error| Error::Build { step: title.clone(), message: error.to_string() })?;
    }
    // What it was made in is several times larger than the image.
    namespace::script("rm -rf -- \"$1\"", &[plan.work.as_os_str()], &mut |_| {})
        .map_err(|error| Error::Build { step: "cleaning up".to_owned(), message: error.to_string() })?;
    Image::open(&options.folder)
}

/// Gives a finished image another agent, statically linked. Frozen machines of it are made anew by their next use.
///
/// # Errors
/// [`Error::Build`] when the agent cannot be read or the image not be written.
pub fn renew_agent(image: &Image, agent: &Path) -> Result<Image, Error> {
    let failed = |error: io::Error| Error::Build { step: "renewing the agent".to_owned(), message: error.to_string() };
    let folder = &image.folder;
    let old = fs::read(image.initrd()).map_err(failed)?;
    fs::write(folder.join("initrd.part"), initrd::with_agent(&old, agent).map_err(failed)?).map_err(failed)?;
    fs::rename(folder.join("initrd.part"), image.initrd()).map_err(failed)?;
    let manifest = Manifest { id: fresh_id(), ..image.manifest.clone() };
    write_manifest(folder, &manifest).map_err(failed)?;
    Image::open(folder)
}

fn fresh_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", now.as_nanos())
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> io::Result<()> {
    let partial = folder.join("image.part");
    fs::write(&partial, toml::to_string(manifest).map_err(io::Error::other)?)?;
    fs::rename(partial, folder.join("image.toml"))
}

/// What one step does; it passes on what its tools say.
type Work<'a> = Box<dyn Fn(&mut dyn FnMut(&str)) -> io::Result<()> + 'a>;

struct Plan<'a> {
    options: &'a Options,
    recipe: Recipe,
    languages: Vec<&'a Language>,
    work: PathBuf,
}

impl Plan<'_> {
    fn steps(&self) -> Vec<(String, Work<'_>)> {
        let mut steps: Vec<(String, Work<'_>)> = vec![
            ("building the agent".to_owned(), Box::new(|lines| self.agent(lines))),
            ("downloading and unpacking Debian".to_owned(), Box::new(|lines| self.bootstrap(lines))),
        ];
        let packages: BTreeSet<&str> = self.languages.iter().flat_map(|language| &language.packages).map(String::as_str).collect();
        let packages: Vec<&str> = packages.into_iter().collect();
        for batch in packages.chunks(BATCH) {
            let batch = batch.to_vec();
            let title = format!("installing {} to {}", batch[0], batch[batch.len() - 1]);
            steps.push((title, Box::new(move |lines| self.packages(&batch, lines))));
        }
        for language in &self.languages {
            let plain = language.pip.is_empty() && language.npm.is_empty() && language.setup.is_empty() && language.program.is_empty();
            if !plain || !language.archive.is_empty() {
                let title = format!("setting up {}", language.name);
                steps.push((title, Box::new(move |lines| self.language(language, lines))));
            }
        }
        steps.push(("unpacking the kernel".to_owned(), Box::new(|lines| self.kernel(lines))));
        steps.push(("furnishing the root file system".to_owned(), Box::new(|lines| self.furnish(lines))));
        steps.push(("making the disk".to_owned(), Box::new(|lines| self.disk(lines))));
        steps.push(("writing the image down".to_owned(), Box::new(|_| self.manifest())));
        steps
    }

    fn root(&self) -> PathBuf {
        self.work.join("root")
    }

    /// Copies the agent that was given, or builds one.
    fn agent(&self, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        let target = self.work.join("agent");
        if let Some(agent) = &self.options.agent {
            fs::copy(agent, target)?;
            return Ok(());
        }
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/Cargo.toml");
        fs::copy(self.static_program(&sources, "oubliette-agent", lines)?, target).map(drop)
    }

    /// Builds a program that needs no library of the guest's: with musl where the target is installed, else with a static glibc.
    fn static_program(&self, manifest: &Path, name: &str, lines: &mut dyn FnMut(&str)) -> io::Result<PathBuf> {
        if !manifest.exists() {
            return Err(io::Error::other(format!("there are no sources to build {name} from in {}", manifest.display())));
        }
        let folder = self.work.join("programs");
        let mut message = String::new();
        for (triple, flags) in [("x86_64-unknown-linux-musl", ""), ("x86_64-unknown-linux-gnu", "-C target-feature=+crt-static")] {
            let mut command = Command::new("cargo");
            command.args(["build", "--release", "--bin", name, "--target", triple, "--manifest-path"]);
            command.arg(manifest).arg("--target-dir").arg(&folder).env("RUSTFLAGS", flags);
            match namespace::run(command, lines) {
                Ok(()) => return Ok(folder.join(triple).join("release").join(name)),
                Err(error) => message = error.to_string(),
            }
        }
        Err(io::Error::other(message))
    }

    fn bootstrap(&self, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        let archive = self.work.join("bootstrap.tar");
        if !archive.exists() {
            let partial = self.work.join("bootstrap.part");
            let mut command = Command::new("mmdebstrap");
            let mode = if rustix::process::geteuid().is_root() { "root" } else { "unshare" };
            command.arg(format!("--mode={mode}")).args(["--variant=minbase", "--format=tar"]);
            command.arg("--aptopt=Acquire::Retries \"3\"");
            for pattern in &self.recipe.exclude {
                command.arg(format!("--dpkgopt=path-exclude={pattern}"));
            }
            command.arg(format!("--include={}", self.recipe.packages.join(",")));
            command.arg(&self.recipe.suite).arg(&partial);
            command.arg(self.options.mirror.as_ref().unwrap_or(&self.recipe.mirror));
            namespace::run(command, lines)?;
            fs::rename(partial, &archive)?;
        }
        // A user name space may make no devices, and the guest's kernel makes its own.
        const UNPACK: &str =
            r#"rm -rf -- "$2"; mkdir -p "$2"; chmod 755 "$2"; exec tar -C "$2" --numeric-owner --exclude='./dev/*' -xf "$1""#;
        namespace::script(UNPACK, &[archive.as_os_str(), self.root().as_os_str()], lines)
    }

    fn packages(&self, names: &[&str], lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        // What an interrupted run left half done is finished first. A file that a crash of the host cut short is no loss:
        // the step is done again then, so nothing waits for the disk. Java's packages fail without the folder of manual pages that they link into.
        let script = format!(
            "mkdir -p /usr/share/man/man1\n\
             apt='apt-get -y -q -o Acquire::Retries=3 -o Acquire::Languages=none -o Dpkg::Options::=--force-unsafe-io'\n\
             dpkg --force-unsafe-io --configure -a\n$apt update\n$apt -f install\n$apt --no-install-recommends install {}",
            names.join(" ")
        );
        namespace::script_inside(&self.root(), &script, lines)
    }

    fn language(&self, language: &Language, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        let mut script = String::new();
        if let Some(archive) = archive(language, &self.options.add) {
            let place = format!("/opt/{}", language.name.to_lowercase());
            let target = self.root().join("root/archive");
            const COPY: &str = r#"exec cp -- "$1" "$2""#;
            namespace::script(COPY, &[archive.as_os_str(), target.as_os_str()], lines)?;
            script += &format!("mkdir -p '{place}'\ntar -C '{place}' --strip-components=1 -xf /root/archive\nrm /root/archive\n");
        }
        if !language.program.is_empty() {
            let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest").join(&language.program).join("Cargo.toml");
            let program = self.static_program(&sources, &language.program, lines)?;
            const INSTALL: &str = r#"exec install -D -m 755 -- "$1" "$2""#;
            let target = self.root().join("usr/local/bin").join(&language.program);
            namespace::script(INSTALL, &[program.as_os_str(), target.as_os_str()], lines)?;
        }
        if !language.pip.is_empty() {
            script += &format!("pip3 install --break-system-packages --no-cache-dir {}\n", language.pip.join(" "));
        }
        if !language.npm.is_empty() {
            script += &format!("npm install --global {}\n", language.npm.join(" "));
        }
        script += &language.setup;
        if script.is_empty() {
            return Ok(());
        }
        namespace::script_inside(&self.root(), &script, lines)
    }

    /// Downloads the kernel's package without installing it: its scripts would build a RAM disk nobody uses.
    fn kernel(&self, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        let script = format!(
            "rm -rf /var/kernel; mkdir /var/kernel; cd /var/kernel; apt-get update -q\n\
             package=$(apt-cache depends --no-recommends --no-suggests {} | sed -n 's/^ *Depends: //p' | head -n 1)\n\
             apt-get -q download \"$package\"\ndpkg-deb -x ./*.deb .\nrm ./*.deb\nchmod -R a+rX .",
            self.recipe.kernel
        );
        namespace::script_inside(&self.root(), &script, lines)?;
        let folder = self.root().join("var/kernel");
        let boot = fs::read_dir(folder.join("boot"))?.flatten().map(|entry| entry.path());
        let boot = boot.into_iter().find(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz-")));
        let boot = boot.ok_or_else(|| io::Error::other("the kernel's package has no kernel"))?;
        let release = boot.file_name().unwrap_or_default().to_string_lossy()["vmlinuz-".len()..].to_owned();
        let modules = folder.join("lib/modules").join(&release);
        let initrd = initrd::make(&self.work.join("agent"), &modules, &self.recipe.modules)?;
        fs::write(self.options.folder.join("vmlinux"), kernel::extract(&fs::read(&boot)?)?)?;
        fs::write(self.options.folder.join("initrd.cpio"), initrd)?;
        fs::write(self.work.join("kernel-release"), &release)?;
        namespace::script("rm -rf -- \"$1\"", &[folder.as_os_str()], lines)
    }

    fn furnish(&self, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        const SCRIPT: &str = r"
id user >/dev/null 2>&1 || useradd --uid 1000 --create-home --shell /bin/bash user
echo oubliette >/etc/hostname
printf '127.0.0.1 localhost oubliette\n::1 localhost\n' >/etc/hosts
echo C.UTF-8 >/etc/locale.conf
rm -rf /var/cache/apt/archives/*.deb /var/cache/apt/*.bin /var/lib/apt/lists/* /var/log/* /root/.cache /root/.npm
rm -f /etc/machine-id && touch /etc/machine-id
find / -xdev -name '__pycache__' -path '*/test/*' -prune -exec rm -rf {} +
";
        namespace::script_inside(&self.root(), SCRIPT, lines)?;
        // Mounted over while packages were installed, so that only now it can be taken away.
        namespace::script(r#": >"$1/etc/resolv.conf""#, &[self.root().as_os_str()], lines)
    }

    fn disk(&self, lines: &mut dyn FnMut(&str)) -> io::Result<()> {
        // The folder belongs to identities that only the name space has, so the file is made in there too.
        const SCRIPT: &str = r#"
root=$1 raw=$2 size=$3
rm -f "$raw"
mke2fs -q -t ext4 -m 0 -L oubliette -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d "$root" "$raw" "$size"
chmod 644 "$raw"
"#;
        let raw = self.work.join("root.ext4");
        let folder = &self.options.folder;
        namespace::script(SCRIPT, &[self.root().as_os_str(), raw.as_os_str(), OsStr::new(&self.recipe.disk)], lines)?;
        let partial = folder.join("root.part");
        let mut command = Command::new("qemu-img");
        command.args(["convert", "-f", "raw", "-O", "qcow2", "-m", "2"]).arg(&raw).arg(&partial);
        namespace::run(command, lines)?;
        fs::rename(partial, folder.join("root.qcow2"))?;
        let mut command = Command::new("qemu-img");
        command.args(["create", "-q", "-f", "qcow2"]).arg(folder.join("empty.qcow2")).arg(&self.recipe.disk);
        namespace::run(command, lines)
    }

    fn manifest(&self) -> io::Result<()> {
        let disk: u64 = self.recipe.disk.trim_end_matches('G').parse().map_err(io::Error::other)?;
        let manifest = Manifest {
            name: self.options.name.clone(),
            id: fresh_id(),
            kernel: fs::read_to_string(self.work.join("kernel-release"))?,
            disk: disk << 30,
            languages: self.languages.iter().map(|language| language.name.clone()).collect(),
        };
        write_manifest(&self.options.folder, &manifest)
    }
}

/// The languages of an image: those of its sets, without those whose archive is missing, and those whose archive was given.
fn languages<'a>(catalogue: &'a Catalogue, sets: &[String], archives: &[PathBuf]) -> Result<Vec<&'a Language>, Error> {
    let wanted: BTreeSet<&str> = catalogue.in_sets(sets).into_iter().map(|language| language.name.as_str()).collect();
    let mut unknown: Vec<&PathBuf> = archives.iter().collect();
    let mut languages = Vec::new();
    for language in catalogue.languages().iter().filter(|language| language.is_available()) {
        let its = archive(language, archives);
        unknown.retain(|path| Some(*path) != its);
        if its.is_some() || (language.archive.is_empty() && wanted.contains(language.name.as_str())) {
            languages.push(language);
        }
    }
    let Some(path) = unknown.first() else { return Ok(languages) };
    let names: Vec<String> = catalogue
        .languages()
        .iter()
        .filter(|language| !language.archive.is_empty())
        .map(|language| format!("{} ({}...)", language.name, language.archive))
        .collect();
    Err(Error::Language(format!("no language is known whose archive is called {}; there are {}", path.display(), names.join(", "))))
}

/// The downloaded archive of a language, by the beginning of its name.
fn archive<'a>(language: &Language, archives: &'a [PathBuf]) -> Option<&'a PathBuf> {
    let is_its = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.starts_with(&language.archive)
    };
    if language.archive.is_empty() { None } else { archives.iter().find(is_its) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sets: &[&str], archives: &[&str]) -> Result<Vec<String>, Error> {
        let catalogue = Catalogue::built_in().expect("reads");
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        let archives: Vec<PathBuf> = archives.iter().map(PathBuf::from).collect();
        Ok(languages(catalogue, &sets, &archives)?.iter().map(|language| language.name.clone()).collect())
    }

    #[test]
    fn what_was_downloaded_is_added_to_whatever_set() {
        let base = names(&[], &[]).expect("the base");
        assert!(base.iter().any(|name| name == "C") && !base.iter().any(|name| name == "Julia"), "{base:?}");
        let added = names(&[], &["/somewhere/julia-1.10.4-linux-x86_64.tar.gz"]).expect("with Julia");
        assert_eq!(added.len(), base.len() + 1);
        assert!(added.iter().any(|name| name == "Julia"));
        // All sets together are no reason to want what nobody downloaded.
        assert!(!names(&["full"], &[]).expect("all").iter().any(|name| name == "Julia"));
        let error = names(&[], &["/somewhere/cobol.tar"]).expect_err("unknown");
        assert!(error.to_string().contains("Julia (julia"), "{error}");
    }

    #[test]
    fn programs_of_ours_have_their_sources() {
        for language in Catalogue::built_in().expect("reads").languages().iter().filter(|language| !language.program.is_empty()) {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest").join(&language.program);
            assert!(folder.join("Cargo.toml").exists(), "{}", folder.display());
        }
    }
}
