import Basics
import Synchronization
import TestSupport
import Testing

@testable import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Remote stores from a server that breaks off, cuts short, refuses and falls silent: the right numbers or an error.
@Suite struct HTTPStorageTests {
  private func storage(
    _ server: FaultyServer, silence: Int = 10, total: Int = 100, attempts: Int = 6
  ) throws -> HTTPStorage {
    var retries = HTTPStorage.Retries()
    retries.firstPauseSeconds = 0.001
    retries.silenceSeconds = silence
    retries.totalSeconds = total
    retries.attempts = attempts
    return try HTTPStorage(server.address, retries: retries)
  }

  @Test func wholeValuesAndPartsAreRead() throws {
    let server = try FaultyServer(["a/b c": Array("0123456789".utf8)])
    let storage = try storage(server)
    #expect(try storage.read("a/b c") == Array("0123456789".utf8))
    let parts: [(ByteRange, String)] = [
      (.range(2..<5), "234"), (.last(3), "789"), (.range(8..<20), "89"), (.last(20), "0123456789"), (.range(4..<4), ""),
      (.range(30..<40), ""),
    ]
    for knowsRanges in [true, false] {
      server.knowsRanges.store(knowsRanges, ordering: .relaxed)
      for (part, text) in parts {
        let found = try storage.read("a/b c", part)
        #expect(found?.bytes == Array(text.utf8) && found?.length == 10, "\(part)")
      }
    }
    #expect(try storage.read("none") == nil && storage.read("none", .last(4)) == nil)
    #expect(throws: JigsawError.self) { try storage.list("") }
  }

  @Test(arguments: FaultyServer.Fault.allCases.filter { $0 != .trickles })
  func faultsThatPassAreOvercome(fault: FaultyServer.Fault) throws {
    let value = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    // Each silence lasts until it is noticed.
    let times = fault == .stalls ? 1 : 2
    let server = try FaultyServer(["x": value], fault: fault, times: times)
    let storage = try storage(server, silence: 1)
    if fault == .shortAnswer {
      // A server that says it has less is believed: what reads the value finds out.
      #expect(try storage.read("x")?.count == 100_000)
    } else {
      #expect(try storage.read("x") == value)
      #expect(server.requests.load(ordering: .relaxed) == times + 1)
    }
    let parts = try FaultyServer(["x": value], fault: fault, times: times)
    let part = try self.storage(parts, silence: 1).read("x", .range(1_000..<190_000))
    #expect(part?.bytes == Array(value[1_000..<190_000]) && part?.length == value.count)
  }

  @Test(arguments: [FaultyServer.Fault.breaks, .refuses, .shortAnswer]) func faultsThatStayAreErrors(
    fault: FaultyServer.Fault
  ) throws {
    let server = try FaultyServer(["x": Array(repeating: 5, count: 50_000)], fault: fault, times: .max)
    let error = #expect(throws: JigsawError.self) { try storage(server).read("x", .range(0..<40_000)) }
    #expect(error?.place == "\(server.address)/x" && error?.problem == "can't be read")
    #expect(server.requests.load(ordering: .relaxed) == 6)
  }

  /// Some bytes a second keep a connection alive for ever: less than 1 KiB/s counts as silence, and an attempt has an end.
  @Test(arguments: [(silence: 1, total: 100), (silence: 100, total: 2)])
  func attemptsHaveAnEnd(silence: Int, total: Int) throws {
    let server = try FaultyServer(["x": Array(repeating: 5, count: 50_000)], fault: .trickles, times: .max)
    let start = monotonicSeconds()
    let error = #expect(throws: JigsawError.self) {
      try storage(server, silence: silence, total: total, attempts: 1).read("x")
    }
    #expect(monotonicSeconds() - start < 60 && error?.problem == "can't be read")
  }

  @Test func nobodyThereIsAnError() throws {
    var retries = HTTPStorage.Retries()
    retries.attempts = 2
    retries.firstPauseSeconds = 0.001
    let storage = try HTTPStorage("http://127.0.0.1:1/store", retries: retries)
    #expect(throws: JigsawError.self) { try storage.read("x") }
    for address in ["ftp://somewhere/else", "s3:////", "https://", "https://host/store.zarr?key=1"] {
      #expect(throws: JigsawError.self, "\(address)") { try HTTPStorage(address) }
    }
    #expect(try HTTPStorage("gs://bucket/a.zarr//").location == "gs://bucket/a.zarr")
    #expect(HTTPStorage.isAddress("gs://bucket/a.zarr") && !HTTPStorage.isAddress("/data/a.zarr"))
  }

  /// A whole store, chunk by chunk, with every third answer broken off.
  @Test func storesAreReadRight() throws {
    let path = Goldens.path("codecs.zarr")
    var values: [String: [UInt8]] = [".zmetadata": try Files.read("\(path)/.zmetadata")]
    for name in try Files.list(path) where Files.isDirectory("\(path)/\(name)") {
      for key in try Files.list("\(path)/\(name)") {
        values["\(name)/\(key)"] = try Files.read("\(path)/\(name)/\(key)")
      }
    }
    let server = try FaultyServer(values, fault: .breaks, times: .max, every: 3)
    let store = try ZarrStore(storage(server))
    let local = try openStore(path)
    #expect(store.arrays.count == local.arrays.count)
    for name in local.arrays.keys { #expect(try store.read(name).bytes == local.read(name).bytes, "\(name)") }
  }
}

/// Serves values over HTTP 1.1 on this machine, one thread for each connection, and misbehaves on demand.
final class FaultyServer: Sendable {
  enum Fault: CaseIterable, Sendable {
    /// Half of the value, then the connection ends.
    case breaks
    /// Half of the value, whose length is said to be that.
    case shortAnswer
    /// Status 503.
    case refuses
    /// Half of the value, then nothing for some seconds.
    case stalls
    /// Ten bytes a second for half a minute.
    case trickles
    /// No answer at all.
    case hangsUp
  }

  let address: String
  let knowsRanges = Atomic<Bool>(true)
  let requests = Atomic<Int>(0)
  private let socket: Int32
  private let values: [String: [UInt8]]
  private let fault: Fault?
  private let times: Int
  private let every: Int

  /// - Parameters:
  ///   - times: requests that the fault strikes, from the first on.
  ///   - every: of so many requests it strikes one.
  init(_ values: [String: [UInt8]], fault: Fault? = nil, times: Int = 0, every: Int = 1) throws {
    self.values = values
    self.fault = fault
    self.times = times
    self.every = every
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = socket
    let isBound = withUnsafeMutablePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard isBound, listen(socket, 64) == 0 else { throw JigsawError("server", "can't listen") }
    address = "http://127.0.0.1:\(UInt16(bigEndian: place.sin_port))/store"
    FaultyServer.thread { [weak self] in
      while true {
        let connection = accept(socket, nil, nil)
        guard connection >= 0, let self else { return }
        FaultyServer.thread { self.serve(connection) }
      }
    }
  }

  deinit { shutdown(socket, Int32(SHUT_RDWR)) }

  private final class Job {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  private static func thread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      {
        Unmanaged<Job>.fromOpaque($0!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(Job(body)).toOpaque())
    pthread_detach(thread)
  }

  private func serve(_ connection: Int32) {
    defer { close(connection) }
    var received: [UInt8] = []
    while true {
      while received.firstRange(of: Array("\r\n\r\n".utf8)) == nil {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let n = recv(connection, &buffer, buffer.count, 0)
        if n <= 0 { return }
        received += buffer[..<n]
      }
      let request = String(decoding: received, as: UTF8.self)
      received = []
      if !answer(request, connection) { return }
    }
  }

  /// - Returns: whether the connection stays.
  private func answer(_ request: String, _ connection: Int32) -> Bool {
    let number = requests.add(1, ordering: .relaxed).oldValue
    let strikes = fault != nil && number / every < times && number % every == 0
    let path = request.split(separator: " ")[1].dropFirst("/store/".count)
    guard let value = values[path.split(separator: "%20").joined(separator: " ")] else {
      // Such pages are often longer than what was asked for.
      let page = [UInt8](repeating: 32, count: 5_000)
      return send(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: \(page.count)\r\n\r\n", page)
    }
    var (head, body) = ("HTTP/1.1 200 OK\r\n", value)
    if knowsRanges.load(ordering: .relaxed),
      let line = request.split(separator: "\r\n").first(where: { $0.hasPrefix("Range:") })
    {
      let ends = line.split(separator: "=")[1].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      let range =
        ends[0].map { $0..<max($0, min(value.count, ends[1]! + 1)) } ?? max(0, value.count - ends[1]!)..<value.count
      if range.lowerBound >= value.count {
        return send(
          connection,
          "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */\(value.count)\r\nContent-Length: 0\r\n\r\n", []
        )
      }
      body = Array(value[range])
      head =
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(value.count)\r\n"
    }
    let whole = head + "Content-Length: \(body.count)\r\n\r\n"
    let half = Array(body[..<(body.count / 2)])
    guard strikes, let fault else { return send(connection, whole, body) }
    switch fault {
    case .breaks:
      _ = send(connection, whole, half)
      return false
    case .shortAnswer: return send(connection, head + "Content-Length: \(half.count)\r\n\r\n", half)
    case .refuses:
      return send(connection, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", [])
    case .stalls:
      _ = send(connection, whole, half)
      sleep(4)
      return false
    case .trickles:
      var isHeard = send(connection, whole, [])
      for byte in body.prefix(300) where isHeard {
        usleep(100_000)
        isHeard = send(connection, "", [byte])
      }
      return false
    case .hangsUp: return false
    }
  }

  private func send(_ connection: Int32, _ head: String, _ body: [UInt8]) -> Bool {
    let bytes = Array(head.utf8) + body
    var sent = 0
    while sent < bytes.count {
      let n = bytes.withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if n <= 0 { return false }
      sent += n
    }
    return true
  }
}
