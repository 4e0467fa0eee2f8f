import Basics
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// From now on a file on which HDF5 crashes, or computes without end, ends the process with a sentence that names it, and status 1.
/// For programs; tests and `fuzz-stores` see the crash.
public func endInSentencesWhereLibrariesCrash() { LibraryFault.areCaught.store(true, ordering: .relaxed) }

/// The sentences with which the process ends where HDF5 crashes on a damaged file, which it does for one in some hundred
/// (docs/results/fuzzing), or runs in circles of its metadata. What it has done to memory by then is not known, and it can't be stopped,
/// so nothing but the end is safe.
final class LibraryFault: Sendable {
  fileprivate static let areCaught = Atomic(false)

  /// Memory that signal handlers may use: it is there before the signal comes.
  private struct Sentence {
    let bytes: UnsafeMutablePointer<CChar>
    let count: Int

    init(_ location: String, _ problem: String) {
      let error = JigsawError(
        location, "can't be read: the HDF5 library \(problem)",
        remedy: "the file is damaged; copy it again, or try another version of HDF5")
      let text = Array(terminalText("error: \(error)\n").utf8)
      bytes = .allocate(capacity: text.count)
      for (index, byte) in text.enumerated() { bytes[index] = CChar(bitPattern: byte) }
      count = text.count
    }

    func end() {
      write(STDERR_FILENO, bytes, count)
      _exit(1)
    }
  }

  private nonisolated(unsafe) let crash, circles: Sentence

  // Guarded by the lock of the library; read by the thread that holds it, within the handler.
  private nonisolated(unsafe) static var current: LibraryFault?
  private nonisolated(unsafe) static var thread = pthread_self()

  /// Time of the processor: some hundred times what metadata of large files take, and ten times what decoding does.
  private static let limitSeconds = 60.0
  private static let bytesPerSecond = 20e6
  private static let watch = CallWatch()

  init(_ location: String) {
    crash = Sentence(location, "crashes on it")
    circles = Sentence(location, "has computed for more than \(Int(LibraryFault.limitSeconds)) s and comes to no end")
    if LibraryFault.areCaught.load(ordering: .relaxed) { LibraryFault.handlers.install() }
  }

  deinit {
    crash.bytes.deallocate()
    circles.bytes.deallocate()
  }

  /// To be called under the library's lock.
  /// - Parameter byteCount: how much is decoded.
  func guarding<R>(byteCount: Int, _ body: () throws -> R) rethrows -> R {
    LibraryFault.thread = pthread_self()
    LibraryFault.current = self
    defer { LibraryFault.current = nil }
    guard LibraryFault.areCaught.load(ordering: .relaxed), let watch = LibraryFault.watch else { return try body() }
    let limit = LibraryFault.limitSeconds + Double(byteCount) / LibraryFault.bytesPerSecond
    return try watch.watching(limitSeconds: limit, excess: { self.circles.end() }, body)
  }

  // MARK: Signals

  private static let handlers = Handlers()

  /// The handlers of signals before, which are restored outside of the library.
  private struct Handlers: Sendable {
    private nonisolated(unsafe) let former: UnsafeMutablePointer<sigaction>
    private static let signals = [SIGSEGV, SIGBUS, SIGFPE, SIGABRT]

    /// Sets the handlers: after those of Swift and of Open MPI.
    init() {
      former = .allocate(capacity: Handlers.signals.count)
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { LibraryFault.end($0) }
      for (place, signal) in Handlers.signals.enumerated() { sigaction(signal, &action, former + place) }
    }

    func install() {}

    func restore(_ signal: Int32) {
      for place in 0..<Handlers.signals.count where Handlers.signals[place] == signal {
        sigaction(signal, former + place, nil)
      }
    }
  }

  /// Within a signal handler: nothing but calls that are safe there.
  private static func end(_ signal: Int32) {
    if let current, pthread_equal(thread, pthread_self()) != 0 {
      current.crash.end()
    }
    handlers.restore(signal)
    // Comes when this handler returns.
    raise(signal)
  }
}
