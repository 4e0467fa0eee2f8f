import Basics
import CECCodes
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The one door to ecCodes. It is built without locks of its own, with POSIX or with OpenMP locks (Debian's), and doesn't
/// say with which: one call at a time goes through.
enum GRIBLibrary {
  private static let lock = Mutex(())

  /// Opens a message, hands it to `body`, closes it.
  ///
  /// - Parameter place: for errors.
  static func withMessage<R>(
    _ bytes: [UInt8], _ place: @autoclosure () -> String, _ body: (GRIBMessage) throws -> R
  ) throws -> R {
    try alone {
      var handle: OpaquePointer?
      let status = bytes.withUnsafeBytes { jk_grib_open($0.baseAddress, $0.count, &handle) }
      guard status == 0, let handle else { throw problem(status, place(), "open this GRIB message") }
      let message = GRIBMessage(handle)
      defer { message.close() }
      return try body(message)
    }
  }

  /// A new message of edition 2, handed to `body` and closed.
  static func withNewMessage<R>(_ place: @autoclosure () -> String, _ body: (GRIBMessage) throws -> R) throws -> R {
    try alone {
      var handle: OpaquePointer?
      let status = jk_grib_open_sample("regular_ll_pl_grib2", &handle)
      guard status == 0, let handle else { throw problem(status, place(), "start a GRIB message") }
      let message = GRIBMessage(handle)
      defer { message.close() }
      return try body(message)
    }
  }

  private static let thread = GRIBThread()

  /// One caller at a time, on the library's thread.
  private static func alone<R>(_ body: () throws -> R) throws -> R {
    var result: Result<R, any Error>?
    lock.withLock { _ in
      thread.run {
        result = Result {
          try requireTables()
          return try body()
        }
      }
    }
    guard let result else { preconditionFailure("the thread has done its work") }
    return try result.get()
  }

  static func problem(_ status: Int32, _ place: String, _ action: String) -> JigsawError {
    JigsawError(
      place, "can't \(action) (ecCodes: \(String(cString: jk_grib_problem(status))))",
      remedy: "the file is damaged or of a kind that this version of ecCodes doesn't know")
  }

  /// The meaning of a message's numbers is read from tables that are installed with the library.
  private static func requireTables() throws {
    guard !hasTables else { return }
    let folders = jk_grib_definitions().map { String(cString: $0) } ?? ""
    throw JigsawError(
      "ecCodes", "can't find its tables", expected: "boot.def in one of the folders \(folders)",
      remedy: "install them (Debian: libeccodes-data), or set ECCODES_DEFINITION_PATH")
  }

  private static let hasTables: Bool = {
    guard let folders = jk_grib_definitions().map({ String(cString: $0) }) else { return false }
    // Some builds carry the tables within the library.
    return folders.split(separator: ":").contains { $0.hasPrefix("/MEMFS") || access("\($0)/boot.def", R_OK) == 0 }
  }()
}

/// An open message. Only for use while the library's lock is held.
final class GRIBMessage {
  private let handle: OpaquePointer
  /// After a failed assertion nothing is known of the library's state of this message: it is left alone.
  private var isBroken = false

  fileprivate init(_ handle: OpaquePointer) { self.handle = handle }

  fileprivate func close() { if !isBroken { jk_grib_close(handle) } }

  /// Nil for keys that this message doesn't have, and for what is marked as missing.
  func integer(_ key: String) -> Int? {
    var value = 0
    guard succeeded(jk_grib_get_long(handle, key, &value)) else { return nil }
    // The library's mark, GRIB_MISSING_LONG, which is also a number that a damaged message may say.
    return value == 2_147_483_647 && isMissing(key) ? nil : value
  }

  private func isMissing(_ key: String) -> Bool {
    var missing: Int32 = 0
    return succeeded(jk_grib_is_missing(handle, key, &missing)) && missing != 0
  }

  func number(_ key: String) -> Double? {
    var value = 0.0
    guard succeeded(jk_grib_get_double(handle, key, &value)), value.isFinite else { return nil }
    return value
  }

  func text(_ key: String) -> String? {
    var text = [CChar](repeating: 0, count: 256)
    guard succeeded(jk_grib_get_text(handle, key, &text, text.count)) else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func count(_ key: String) -> Int? {
    var count = 0
    return succeeded(jk_grib_get_count(handle, key, &count)) ? count : nil
  }

  /// All numbers of a key; `out` has as many elements as it has.
  func numbers(_ key: String, into out: UnsafeMutableBufferPointer<Double>, _ place: @autoclosure () -> String) throws {
    let status = jk_grib_get_doubles(handle, key, out.baseAddress, out.count)
    guard succeeded(status) else { throw GRIBLibrary.problem(status, place(), "decode \(key)") }
  }

  /// The 2·`count` latitudes of a Gaussian grid, north to south; of any, whatever this message's is.
  func gaussianLatitudes(_ count: Int, _ place: String) throws -> [Double] {
    var latitudes = [Double](repeating: 0, count: 2 * count)
    let status = jk_grib_gaussian_latitudes(count, &latitudes)
    guard succeeded(status) else { throw GRIBLibrary.problem(status, place, "find the latitudes of a Gaussian grid") }
    return latitudes
  }

  func set(_ key: String, _ value: Int, _ place: String) throws {
    try check(jk_grib_set_long(handle, key, value), place, key)
  }

  func set(_ key: String, _ value: Double, _ place: String) throws {
    try check(jk_grib_set_double(handle, key, value), place, key)
  }

  func set(_ key: String, _ value: String, _ place: String) throws {
    try check(jk_grib_set_text(handle, key, value), place, key)
  }

  func set(_ key: String, _ values: [Int], _ place: String) throws {
    try check(jk_grib_set_longs(handle, key, values, values.count), place, key)
  }

  func setMissing(_ key: String, _ place: String) throws {
    try check(jk_grib_set_missing(handle, key), place, key)
  }

  func set(_ key: String, _ values: [Double], _ place: String) throws {
    try check(jk_grib_set_doubles(handle, key, values, values.count), place, key)
  }

  /// The message as it belongs into a file.
  func withBytes<R>(_ place: String, _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
    var start: UnsafeRawPointer?
    var count = 0
    try check(jk_grib_bytes(handle, &start, &count), place, "the message")
    return try body(UnsafeRawBufferPointer(start: start, count: count))
  }

  private func check(_ status: Int32, _ place: String, _ key: String) throws {
    if !succeeded(status) { throw GRIBLibrary.problem(status, place, "write \(key)") }
  }

  private func succeeded(_ status: Int32) -> Bool {
    if status == JK_GRIB_ASSERTION { isBroken = true }
    return status == 0
  }
}

/// The version of ecCodes that is loaded.
public var ecCodesVersion: String {
  var text = [CChar](repeating: 0, count: 32)
  jk_grib_version(&text)
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
