import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// A record of what one rank did when, written as a file for Perfetto (ui.perfetto.dev) or chrome://tracing. Safe from several threads.
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

  /// Something that has begun and not ended.
  public struct Activity: Sendable, Equatable {
    public let lane: Lane
    public let name: String
    /// `monotonicSeconds`.
    public let since: Double
  }

  private struct Current {
    var activities: [Int: Activity] = [:]
    var begun = 0
    /// When something last began or ended.
    var change: Double
  }

  private let origin: Double
  private let keepsEvents: Bool
  private let current: Mutex<Current>
  /// Seconds, on the clock that the trace lives by.
  public let now: @Sendable () -> Double
  private let events = Mutex<[Event]>([])
  /// Long trainings would fill the memory; what comes later is left out.
  private static let eventLimit = 2_000_000

  /// - Parameters:
  ///   - origin: zero of the picture's time, `monotonicSeconds`.
  ///   - keepsEvents: false: it only knows what is going on now.
  ///   - now: another clock, of a simulation.
  public init(
    origin: Double = monotonicSeconds(), keepsEvents: Bool = true,
    now: @escaping @Sendable () -> Double = { monotonicSeconds() }
  ) {
    self.origin = origin
    self.keepsEvents = keepsEvents
    self.now = now
    current = Mutex(Current(change: now()))
  }

  // MARK: What is going on

  /// Notes that something begins, until `end` is called with the number returned.
  public func begin(_ lane: Lane, _ name: String) -> Int {
    let start = now()
    return current.withLock {
      $0.begun += 1
      $0.activities[$0.begun] = Activity(lane: lane, name: name, since: start)
      $0.change = start
      return $0.begun
    }
  }

  /// - Parameter isNoted: whether it becomes part of the picture.
  public func end(_ number: Int, isNoted: Bool = true) {
    let end = now()
    let activity = current.withLock {
      $0.change = end
      return $0.activities.removeValue(forKey: number)
    }
    guard let activity, isNoted else { return }
    append(Event(lane: activity.lane, name: activity.name, start: activity.since, end: end, bytes: 0))
  }

  /// The activities that have begun and not ended, in this order.
  public var activities: [Activity] { current.withLock { $0.activities.sorted { $0.key < $1.key }.map(\.value) } }

  /// Notes that work proceeds, for the stall watch.
  public func goOn() {
    let now = now()
    current.withLock { $0.change = now }
  }

  /// When something last began, ended or went on.
  public var lastChange: Double { current.withLock { $0.change } }

  // MARK: Events

  /// Something that took from `start` until now.
  public func add(_ lane: Lane, _ name: String, since start: Double) {
    goOn()
    append(Event(lane: lane, name: name, start: start, end: now(), bytes: 0))
  }

  /// A transfer that was found done now. Transfers overlap; each gets a row of its own.
  public func addTransfer(_ name: String, since start: Double, bytes: Int) {
    append(Event(lane: nil, name: name, start: start, end: now(), bytes: bytes))
  }

  private func append(_ event: Event) {
    guard keepsEvents else { return }
    events.withLock { if $0.count < Trace.eventLimit { $0.append(event) } }
  }

  /// The events that took time on one of the lanes, without transfers.
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
  /// Runs `body` and, if there is a trace, notes that it runs and how long it took.
  public func measure<R>(_ lane: Trace.Lane, _ name: @autoclosure () -> String, _ body: () throws -> R) rethrows -> R {
    guard let self else { return try body() }
    let number = self.begin(lane, name())
    defer { self.end(number) }
    return try body()
  }
}
