//! Faults of compiled code: the handler knows its own code ranges and nothing else, and leaves every other fault to whoever was there before.

use std::cell::Cell;
use std::io;
use std::ptr;
use std::sync::OnceLock;

/// What the handler must know about the code that runs on this thread.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Window {
    /// Host code that may fault.
    pub(super) code: usize,
    pub(super) code_length: usize,
    /// Guest memory, guards included.
    pub(super) memory: usize,
    pub(super) memory_length: usize,
    /// Where execution goes on.
    pub(super) exit: usize,
    /// Where the address of the faulting instruction is left.
    pub(super) report: *mut u64,
    /// Where the address is left that it wanted.
    pub(super) report_address: *mut u64,
}

thread_local! {
    /// Set while compiled code runs. Constant at first and without a destructor, so that a signal handler may read it.
    static WINDOW: Cell<*const Window> = const { Cell::new(ptr::null()) };
}

static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler, once per process.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| {
            // SAFETY: `sigaction` is plain data for which all zeros is a value; the handler does only what is allowed in one; what was
            // installed before is asked for first, so that the handler finds it from its first moment on.
            unsafe {
                let mut previous: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut previous) != 0 {
                    return Err(*libc::__errno_location());
                }
                let _ = PREVIOUS.set(previous);
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_fault as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                libc::sigemptyset(&raw mut action.sa_mask);
                if libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) != 0 {
                    return Err(*libc::__errno_location());
                }
                Ok(())
            }
        })
        .map_err(io::Error::from_raw_os_error)
}

/// Runs `body` while faults in the window's code are taken care of.
pub(super) fn watched<R>(window: &Window, body: impl FnOnce() -> R) -> R {
    WINDOW.with(|current| {
        let before = current.replace(window);
        let result = body();
        current.set(before);
        result
    })
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let window = WINDOW.with(Cell::get);
    if !window.is_null() {
        // SAFETY: the pointer is set only while the window is borrowed by `watched`, on this thread; the kernel passes a valid context.
        unsafe {
            let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            let rip = registers[libc::REG_RIP as usize] as usize;
            let window = &*window;
            let address = (*info).si_addr() as usize;
            // A non-canonical address cannot be formed from a 32-bit index, so the address is always reported.
            let ours = rip.wrapping_sub(window.code) < window.code_length && address.wrapping_sub(window.memory) < window.memory_length;
            if ours {
                *window.report = rip as u64;
                *window.report_address = address as u64;
                registers[libc::REG_RIP as usize] = window.exit as i64;
                return;
            }
        }
    }
    pass_on(signal, info, context);
}

/// Does what would have been done without us.
fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get();
    // SAFETY: the previous action is what the kernel reported; its handler is called the way its flags ask for. The default action is brought
    // back and takes effect when the faulting instruction runs again.
    unsafe {
        match previous {
            Some(action) if action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN => {
                if action.sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = std::mem::transmute(action.sa_sigaction);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(i32) = std::mem::transmute(action.sa_sigaction);
                    handler(signal);
                }
            }
            _ => {
                let mut default: libc::sigaction = std::mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &raw const default, ptr::null_mut());
            }
        }
    }
}
