//! Asks a Python interpreter of this machine whether two texts have the same syntax tree. The interpreter only parses,
//! and does so in a sandbox: the texts are hostile, and parsers are programs like others.
//!
//! An answer only ever explains a difference. So whatever keeps the interpreter from answering (there is none, no
//! sandbox can be had, a text is too large or takes too long) is no error: the difference stays unexplained.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use remint_compare::{PythonLikeness, PythonSyntax};
use remint_fetch::ProvidedTool;
use remint_model::{Tool, ToolOrigin};
use remint_sandbox::{Access, Bind, Command, GeneratedFile, Limits, Owner};
use tokio::runtime::Handle;

use crate::build::{Builder, isolation};

/// The largest text that is parsed, in bytes.
const LARGEST: usize = 2 << 20;
/// For one pair of texts.
const DEADLINE: Duration = Duration::from_secs(10);
/// For all pairs of one comparison.
const PATIENCE: Duration = Duration::from_secs(60);
const MEMORY: u64 = 1 << 30;

/// Says one word. `ast.dump` leaves out positions, and everything else of the tree is in it.
const SCRIPT: &str = "
import ast, sys
sys.setrecursionlimit(10000)
trees = []
for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        trees.append(ast.parse(file.read()))
def alike():
    return ast.dump(trees[0]) == ast.dump(trees[1])
if alike():
    print('same')
    sys.exit()
documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
for tree in trees:
    for node in ast.walk(tree):
        if isinstance(node, documented) and node.body:
            value = getattr(node.body[0], 'value', None)
            if isinstance(node.body[0], ast.Expr) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                del node.body[0]
print('documentation' if alike() else 'other')
";

/// Whoever asks gets a builder only when there is something to parse: finding interpreters starts every one of them.
/// To be called inside of a runtime; the answers are given on other threads of it.
pub(crate) fn syntax(
    builder: impl Fn() -> anyhow::Result<Builder> + Send + Sync + 'static,
) -> PythonSyntax {
    let runtime = Handle::current();
    let parser = OnceLock::new();
    PythonSyntax::new(move |rebuilt, published| {
        if rebuilt.len().max(published.len()) > LARGEST {
            return None;
        }
        parser
            .get_or_init(|| Parser::find(&builder().ok()?, &runtime))
            .as_ref()?
            .likeness(rebuilt, published)
    })
}

struct Parser {
    builder: Builder,
    python: ProvidedTool,
    /// What may still be spent.
    left: Mutex<Duration>,
}

impl Parser {
    fn find(builder: &Builder, runtime: &Handle) -> Option<Self> {
        let any = Tool {
            name: "python".to_owned(),
            version: None,
            as_of: None,
            origin: ToolOrigin::System,
            because: "it parses what differs".to_owned(),
        };
        let python = runtime
            .block_on(builder.tools.provide(&any, builder.platform))
            .ok()?;
        Some(Self {
            python,
            builder: builder.clone(),
            left: Mutex::new(PATIENCE),
        })
    }

    fn likeness(&self, rebuilt: &[u8], published: &[u8]) -> Option<PythonLikeness> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_zero() {
            return None;
        }
        let started = Instant::now();
        let said = self.said(rebuilt, published);
        *left = left.saturating_sub(started.elapsed());
        match said?.trim_ascii() {
            b"same" => Some(PythonLikeness::SameTree),
            b"documentation" => Some(PythonLikeness::SameButDocumentation),
            _ => None,
        }
    }

    fn said(&self, rebuilt: &[u8], published: &[u8]) -> Option<Vec<u8>> {
        let place = |name: &str| PathBuf::from(format!("/etc/remint/{name}.py"));
        let program = Path::new(self.python.bin.first()?).join("python3");
        let words = [
            program.to_str()?,
            "-I",
            "-S",
            "-B",
            "-Wignore",
            "-c",
            SCRIPT,
            "/etc/remint/rebuilt.py",
            "/etc/remint/published.py",
        ];
        let mut command = Command::new(words, Owner::of_this_process().ok()?);
        command.isolation = isolation(&self.builder.settings);
        command.binds.push(Bind {
            host: self.python.host.clone(),
            inside: PathBuf::from(&self.python.inside),
            access: Access::ReadOnly,
        });
        for (name, content) in [("rebuilt", rebuilt), ("published", published)] {
            command.files.push(GeneratedFile {
                inside: place(name),
                content: content.to_vec(),
            });
        }
        command.limits = Limits {
            deadline: DEADLINE,
            memory: MEMORY,
            disk: 1 << 20,
            scratch: 1 << 20,
            processes: 16,
            log: 4096,
            ..Limits::default()
        };
        let mut log = Vec::new();
        let finished = remint_sandbox::run(&command, &mut log, &self.builder.cancel, drop).ok()?;
        finished.ending.is_success().then_some(log)
    }
}
