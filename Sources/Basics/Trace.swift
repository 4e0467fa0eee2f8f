import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// What one rank did when, as a file for Perfetto (ui.perfetto.dev) or chrome://tracing. Safe from several threads.
public final class Trace: Sendable {
  /// Rows of the picture.
  public enum Lane: Int, Sendable, CaseIterable {
    case phases, compute, waiting, io

    var title: String {
      switch self {
      case .phases: "phases"
      case .compute: "compute"
      case .waiting: "waiting for ranks"
      case .io: "reading"
      }
    }
  }

  private struct Event {
    let lane: Lane?
    let name: String
    let start, end: Double
    let bytes: Int
  }

  private let origin: Double
  /// Seconds, on the clock that the trace lives by.
  public let now: @Sendable () -> Double
  private let events = Mutex<[Event]>([])
  /// Long trainings would fill the memory; what comes later is left out.
  private static let eventLimit = 2_000_000

  /// - Parameters:
  ///   - origin: zero of the picture's time, `monotonicSeconds`.
  ///   - now: another clock, of a simulation.
  public init(origin: Double = monotonicSeconds(), now: @escaping @Sendable () -> Double = { monotonicSeconds() }) {
    self.origin = origin
    self.now = now
  }

  /// Something that took from `start` until now.
  public func add(_ lane: Lane, _ name: String, since start: Double) {
    append(Event(lane: lane, name: name, start: start, end: now(), bytes: 0))
  }

  /// A transfer that was found done now. Transfers overlap; each gets a row of its own.
  public func addTransfer(_ name: String, since start: Double, bytes: Int) {
    append(Event(lane: nil, name: name, start: start, end: now(), bytes: bytes))
  }

  private func append(_ event: Event) {
    events.withLock { if $0.count < Trace.eventLimit { $0.append(event) } }
  }

  /// What took time on one of the lanes; transfers are none of these.
  public struct Span: Sendable, Equatable {
    public let lane: Lane
    public let name: String
    /// `monotonicSeconds`.
    public let start, end: Double
    public var seconds: Double { end - start }

    public init(lane: Lane, name: String, start: Double, end: Double) {
      self.lane = lane
      self.name = name
      self.start = start
      self.end = end
    }
  }

  /// Takes out what has been noted since the last time, in the order in which it ended, and forgets it.
  public func takeSpans() -> [Span] {
    let taken = events.withLock { events in
      defer { events.removeAll(keepingCapacity: true) }
      return events
    }
    return taken.compactMap { event in
      event.lane.map { Span(lane: $0, name: event.name, start: event.start, end: event.end) }
    }
  }

  public func write(to path: String, rank: Int) throws {
    let file = try OutputFile(replacing: path)
    var text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
    text += #"{"ph":"M","pid":\#(rank),"name":"process_name","args":{"name":"rank \#(rank)"}}"#
    for lane in Lane.allCases {
      text += ",\n"
      text +=
        #"{"ph":"M","pid":\#(rank),"tid":\#(lane.rawValue),"name":"thread_name","args":{"name":"\#(lane.title)"}}"#
    }
    for (index, event) in events.withLock({ $0 }).enumerated() {
      let (start, length) = ((event.start - origin) * 1e6, (event.end - event.start) * 1e6)
      text += ",\n"
      if let lane = event.lane {
        text +=
          #"{"ph":"X","pid":\#(rank),"tid":\#(lane.rawValue),"name":"\#(event.name)","ts":\#(start),"dur":\#(length)}"#
      } else {
        let id = #""cat":"transfer","id":\#(index),"pid":\#(rank),"name":"\#(event.name)""#
        text += #"{"ph":"b",\#(id),"ts":\#(start),"args":{"bytes":\#(event.bytes)}},"#
        text += "\n" + #"{"ph":"e",\#(id),"ts":\#(start + length)}"#
      }
      if text.utf8.count > 1 << 16 {
        try file.write(text)
        text = ""
      }
    }
    try file.write(text + "\n]}\n")
    try file.close()
  }
}

extension Trace? {
  /// Runs `body` and, if there is a trace, notes how long it took.
  public func measure<R>(_ lane: Trace.Lane, _ name: @autoclosure () -> String, _ body: () throws -> R) rethrows -> R {
    guard let self else { return try body() }
    let start = self.now()
    defer { self.add(lane, name(), since: start) }
    return try body()
  }
}
