//! The build from source, in stages: binutils, gcc, its library, newlib, gdb.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::ToolchainError;
use super::packages::Patch;
use super::progress::Progress;
use super::shell::Shell;
use super::stages::{self, Stage};
use super::{InstallOptions, TARGET, archive, packages, runtime};

/// Changed whenever a stage does something else than before, so that old stamps count no more.
const RECIPE: &str = "1";

/// In a build directory: what it was configured with.
const CONFIGURED: &str = "oubliette-configured";

/// Where things lie while building.
struct Site {
    packages: PathBuf,
    sources: PathBuf,
    build: PathBuf,
    logs: PathBuf,
    /// The tool chain that comes into being; moved to its place when it is complete.
    root: PathBuf,
    /// Links to the host's static libraries and to nothing else, so that none is linked dynamically.
    libraries: PathBuf,
    jobs: usize,
    cxx: bool,
    gdb: bool,
}

type Line<'a> = &'a mut dyn FnMut(&str);
type Done = Result<(), ToolchainError>;

/// The stages. The numbers of lines are those of a build on Debian 12.
const STAGES: &[Stage<Site>] = &[
    Stage { name: "packages", title: "packages to build with", lines: 50, recipe: Site::same, run: Site::require_packages },
    Stage { name: "sources", title: "sources", lines: 40, recipe: Site::same, run: Site::unpack_sources },
    Stage { name: "binutils", title: "assembler and linker", lines: 3000, recipe: Site::same, run: Site::build_binutils },
    Stage { name: "gcc", title: "compiler", lines: 4700, recipe: Site::languages, run: Site::build_gcc },
    Stage { name: "libgcc", title: "compiler's library", lines: 330, recipe: Site::same, run: Site::build_libgcc },
    Stage { name: "newlib", title: "C library", lines: 2000, recipe: Site::same, run: Site::build_newlib },
    Stage { name: "gdb", title: "debugger", lines: 4500, recipe: Site::debugger, run: Site::build_gdb },
    Stage { name: "tidy", title: "tidying up", lines: 20, recipe: Site::same, run: Site::tidy },
];

/// Builds a tool chain in `options.work` and moves it to `options.root`.
pub(super) fn build(options: &InstallOptions, progress: &mut dyn Progress) -> Done {
    let work = std::path::absolute(&options.work).map_err(ToolchainError::io("cannot use", &options.work))?;
    let site = Site {
        packages: work.join("packages"),
        sources: work.join("sources"),
        build: work.join("build"),
        logs: work.join("logs"),
        root: work.join("root"),
        libraries: work.join("libraries"),
        jobs: options.jobs.max(1),
        cxx: options.cxx,
        gdb: options.gdb,
    };
    for directory in [&site.packages, &site.sources, &site.build, &site.logs, &site.root, &site.libraries] {
        fs::create_dir_all(directory).map_err(ToolchainError::io("cannot create", directory))?;
    }
    stages::run(STAGES, &site, &work.join("stamps"), progress)?;

    if let Some(parent) = options.root.parent() {
        fs::create_dir_all(parent).map_err(ToolchainError::io("cannot create", parent))?;
    }
    archive::replace(&site.root, &options.root)?;
    // The stamps speak of a root that is gone.
    let leftovers = if options.keep_work { work.join("stamps") } else { work };
    fs::remove_dir_all(&leftovers).map_err(ToolchainError::io("cannot remove", &leftovers))
}

impl Site {
    fn same(&self) -> String {
        RECIPE.to_owned()
    }

    fn languages(&self) -> String {
        format!("{RECIPE} {}", if self.cxx { "c,c++" } else { "c" })
    }

    fn debugger(&self) -> String {
        format!("{RECIPE} {}", if self.gdb { "gdb, patched" } else { "none" })
    }

    fn shell<'a>(&self, stage: &'a str, line: Line<'a>) -> Result<Shell<'a>, ToolchainError> {
        Shell::new(stage, self.logs.join(format!("{stage}.log")), self.root.join("bin"), line)
    }

    fn require_packages(&self, line: Line<'_>) -> Done {
        packages::require(&mut self.shell("packages", line)?)?;
        for library in packages::static_libraries() {
            let link = self.libraries.join(library.file_name().unwrap_or_default());
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link).map_err(ToolchainError::io("cannot remove", &link))?;
            }
            std::os::unix::fs::symlink(&library, &link).map_err(ToolchainError::io("cannot create", &link))?;
        }
        Ok(())
    }

    fn unpack_sources(&self, line: Line<'_>) -> Done {
        let mut shell = self.shell("sources", line)?;
        for source in &[packages::BINUTILS, packages::NEWLIB] {
            packages::unpack_source(&mut shell, source, &self.packages, &self.sources, &[])?;
        }
        let manual = packages::gcc_patch(&self.packages)
            .ok_or(ToolchainError::NoSource { package: "gcc-12-source", prefix: "patches/gcc-gfdl-build" })?;
        let mut patches = vec![Patch { file: manual, strip: "-p2" }];
        patches.extend(self.patches("gcc-")?);
        packages::unpack_source(&mut shell, &packages::GCC, &self.packages, &self.sources, &patches)
    }

    /// Our changes to a source, as files; their names start with the source's.
    fn patches(&self, start: &str) -> Result<Vec<Patch>, ToolchainError> {
        let ours = runtime::patches().filter(|(name, _)| name.starts_with(start));
        ours.map(|(name, text)| {
            let file = self.sources.join(name);
            fs::write(&file, text).map_err(ToolchainError::io("cannot write", &file))?;
            Ok(Patch { file, strip: "-p1" })
        })
        .collect()
    }

    /// Configures unless an earlier run has, in the same way, and answers the directory to make in.
    fn configure(&self, shell: &mut Shell<'_>, name: &str, source: &str, arguments: &[String]) -> Result<PathBuf, ToolchainError> {
        let directory = self.build.join(name);
        let common = [
            format!("--target={TARGET}"),
            format!("--prefix={}", self.root.display()),
            "--disable-nls".to_owned(),
            "--disable-shared".to_owned(),
            "--disable-multilib".to_owned(),
            "MAKEINFO=true".to_owned(),
        ];
        let arguments: Vec<String> = common.iter().chain(arguments).cloned().collect();
        let (record, text) = (directory.join(CONFIGURED), arguments.join("\n"));
        if fs::read_to_string(&record).is_ok_and(|configured| configured == text) {
            return Ok(directory);
        }
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(ToolchainError::io("cannot remove", &directory))?;
        }
        fs::create_dir_all(&directory).map_err(ToolchainError::io("cannot create", &directory))?;
        shell.run(&directory, self.sources.join(source).join("configure"), &arguments)?;
        fs::write(&record, text).map_err(ToolchainError::io("cannot write", &record))?;
        Ok(directory)
    }

    fn make(&self, shell: &mut Shell<'_>, directory: &Path, targets: &[&str]) -> Done {
        let jobs = format!("-j{}", self.jobs);
        shell.run(directory, "make", [jobs.as_str(), "MAKEINFO=true"].iter().chain(targets))
    }

    /// Installing is quick, and not all makefiles can do it in parallel.
    fn make_install(&self, shell: &mut Shell<'_>, directory: &Path, targets: &[&str]) -> Done {
        shell.run(directory, "make", ["MAKEINFO=true"].iter().chain(targets))
    }

    fn build_binutils(&self, line: Line<'_>) -> Done {
        let mut shell = self.shell("binutils", line)?;
        let options = words(
            "--disable-werror --disable-gdb --disable-gdbserver --disable-sim --disable-gprofng --disable-plugins --without-zstd \
             --without-debuginfod CFLAGS=-O2 CXXFLAGS=-O2 LDFLAGS=-static-libstdc++\\ -static-libgcc",
        );
        let directory = self.configure(&mut shell, "binutils", "binutils", &options)?;
        self.make(&mut shell, &directory, &["all-binutils", "all-gas", "all-ld", "all-gprof"])?;
        self.make_install(
            &mut shell,
            &directory,
            &["install-strip-binutils", "install-strip-gas", "install-strip-ld", "install-strip-gprof"],
        )
    }

    fn build_gcc(&self, line: Line<'_>) -> Done {
        let mut shell = self.shell("gcc", line)?;
        // gcc's limits.h goes on to the C library's only if that is there when gcc is built.
        let include = self.root.join(TARGET).join("sys-include");
        fs::create_dir_all(&include).map_err(ToolchainError::io("cannot create", &include))?;
        let limits = self.sources.join("newlib/newlib/libc/include/limits.h");
        fs::copy(&limits, include.join("limits.h")).map_err(ToolchainError::io("cannot copy", &limits))?;

        let mut options = words(
            "--with-newlib --disable-libssp --disable-libquadmath --disable-libgomp --disable-libatomic --disable-threads \
             --disable-lto --disable-plugin --disable-libcc1 --disable-bootstrap --disable-gcov --disable-libstdcxx \
             --disable-hosted-libstdcxx --without-zstd --with-gnu-as --with-gnu-ld CFLAGS=-O2 CXXFLAGS=-O2",
        );
        options.push(format!("--enable-languages={}", if self.cxx { "c,c++" } else { "c" }));
        for library in ["gmp", "mpfr", "mpc"] {
            options.push(format!("--with-{library}-lib={}", self.libraries.display()));
            options.push(format!("--with-{library}-include=/usr/include"));
        }
        let directory = self.configure(&mut shell, "gcc", "gcc", &options)?;
        self.make(&mut shell, &directory, &["all-gcc"])?;
        self.make_install(&mut shell, &directory, &["install-strip-gcc"])
    }

    fn build_libgcc(&self, line: Line<'_>) -> Done {
        let mut shell = self.shell("libgcc", line)?;
        let directory = self.build.join("gcc");
        self.make(&mut shell, &directory, &["all-target-libgcc"])?;
        self.make_install(&mut shell, &directory, &["install-strip-target-libgcc"])
    }

    fn build_newlib(&self, line: Line<'_>) -> Done {
        let mut shell = self.shell("newlib", line)?;
        let directory = self.configure(&mut shell, "newlib", "newlib", &[])?;
        self.make(&mut shell, &directory, &["all-target-newlib"])?;
        self.make_install(&mut shell, &directory, &["install-target-newlib"])
    }

    fn build_gdb(&self, line: Line<'_>) -> Done {
        if !self.gdb {
            return Ok(());
        }
        let mut shell = self.shell("gdb", line)?;
        if !self.sources.join(packages::GDB.name).exists() {
            packages::unpack_source(&mut shell, &packages::GDB, &self.packages, &self.sources, &self.patches("gdb-")?)?;
        }
        let mut options = words(
            "--disable-werror --disable-binutils --disable-gas --disable-ld --disable-gprof --disable-gprofng --disable-sim \
             --disable-gdbserver --disable-source-highlight --disable-tui --without-python --without-guile --without-debuginfod \
             --without-lzma --without-babeltrace --without-intel-pt --without-xxhash --without-zstd --with-expat \
             CFLAGS=-O2 CXXFLAGS=-O2",
        );
        options.push(format!("LDFLAGS=-L{} -static-libstdc++ -static-libgcc", self.libraries.display()));
        for library in ["gmp", "mpfr", "libexpat", "libmpfr", "libgmp"] {
            options.push(format!("--with-{library}-prefix=/usr"));
        }
        let directory = self.configure(&mut shell, "gdb", "gdb", &options)?;
        self.make(&mut shell, &directory, &["all-gdb"])?;
        // Its manual is not built, so only the program is taken; it needs no other file for this target.
        let gdb = self.root.join("bin").join(format!("{TARGET}-gdb"));
        shell.run(&directory, "strip", [OsStr::new("-o"), gdb.as_os_str(), OsStr::new("gdb/gdb")])
    }

    /// Leaves out what a contract's author has no use for; most of it is documentation that was not built whole.
    fn tidy(&self, line: Line<'_>) -> Done {
        let mut shell = self.shell("tidy", line)?;
        let target = self.root.join(TARGET);
        let mut unwanted = vec![self.root.join("share"), self.root.join("include"), target.join("sys-include")];
        for folder in ["lib/gcc", "libexec/gcc"] {
            let folder = self.root.join(folder).join(TARGET);
            let versions = fs::read_dir(&folder).map_err(ToolchainError::io("cannot read", &folder))?;
            unwanted.extend(versions.flatten().map(|version| version.path().join("install-tools")));
        }
        for unwanted in unwanted {
            if unwanted.exists() {
                fs::remove_dir_all(&unwanted).map_err(ToolchainError::io("cannot remove", &unwanted))?;
            }
        }
        let libraries = target.join("lib");
        let mut archives = vec![libraries.join("libc.a"), libraries.join("libm.a")];
        let output = self.root.join("lib/gcc").join(TARGET);
        for version in fs::read_dir(&output).map_err(ToolchainError::io("cannot read", &output))?.flatten() {
            archives.push(version.path().join("libgcc.a"));
        }
        for archive in archives {
            shell.run(&self.root, format!("{TARGET}-strip"), [OsStr::new("-g"), archive.as_os_str()])?;
        }
        // newlib's second name for the C library; a copy would be stripped by nobody.
        let second = libraries.join("libg.a");
        if second.symlink_metadata().is_ok() {
            fs::remove_file(&second).map_err(ToolchainError::io("cannot remove", &second))?;
        }
        std::os::unix::fs::symlink("libc.a", &second).map_err(ToolchainError::io("cannot create", &second))
    }
}

/// The words of a command line; `\ ` is a space inside a word.
fn words(text: &str) -> Vec<String> {
    text.replace("\\ ", "\0").split_whitespace().map(|word| word.replace('\0', " ")).collect()
}
