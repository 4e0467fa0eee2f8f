import Basics
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Progress for people: a line that renews itself on a terminal, a line now and then elsewhere; also into a log file.
public final class Console: @unchecked Sendable {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let isSilent: Bool
  private let secondsBetweenLines: Double
  private var log: OutputFile?
  private var lastLine = -Double.infinity
  private var hasOpenLine = false

  public init(secondsBetweenLines: Double = 10) {
    self.secondsBetweenLines = secondsBetweenLines
    isSilent = false
  }

  private init(isSilent: Bool) {
    secondsBetweenLines = .infinity
    self.isSilent = isSilent
  }

  /// Says nothing: for all ranks but the first.
  public static let silent = Console(isSilent: true)

  /// Everything said from now on also goes to this file.
  public func attachLog(_ path: String) throws { log = try OutputFile(appendingTo: path) }

  /// A line that stays. Control characters of names and messages are shown, and user information of addresses is left out.
  public func say(_ text: String) {
    let text = terminalText(withoutUserInformation(text))
    closeLine()
    put(text + "\n")
    // The log is a convenience: the run continues if its disk is full, and what matters throws elsewhere.
    try? log?.write("\(Timestamp(seconds: Int64(Machine.unixSeconds))) \(text)\n")
  }

  /// A state that the next one replaces. Off terminals, shown when the last one was long enough ago or `isFinal`.
  public func update(_ text: String, isFinal: Bool = false) {
    let text = terminalText(withoutUserInformation(text))
    let now = monotonicSeconds()
    let isDue = isFinal || now - lastLine >= secondsBetweenLines
    if isTerminal {
      put("\r\u{1B}[2K\(text)")
      hasOpenLine = true
      if isFinal { closeLine() }
      if isDue { try? log?.write("\(Timestamp(seconds: Int64(Machine.unixSeconds))) \(text)\n") }
    } else if isDue {
      say(text)
    }
    if isDue { lastLine = now }
  }

  /// A bar with ETA for work whose size is known.
  public func progress(_ title: String, done: Int, of total: Int, since start: Double, detail: String = "") {
    let share = total > 0 ? Double(done) / Double(total) : 1
    let elapsed = monotonicSeconds() - start
    let eta = done > 0 ? elapsed / share - elapsed : .nan
    let rest = done >= total ? "in \(duration(elapsed))" : "ETA \(duration(eta))"
    update(
      "\(title) \(isTerminal ? bar(share) : "") \(done)/\(total)  \(detail.isEmpty ? "" : detail + "  ")\(rest)",
      isFinal: done >= total)
  }

  public func bar(_ share: Double, width: Int = 20) -> String {
    let filled = max(0, min(width, Int(share * Double(width))))
    return "▕" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "▏"
  }

  private func closeLine() {
    if hasOpenLine { put("\n") }
    hasOpenLine = false
  }

  private func put(_ text: String) {
    if isSilent { return }
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}
