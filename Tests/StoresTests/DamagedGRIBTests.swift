import Basics
import Stores
import Synchronization
import TestSupport
import Testing

/// Counts from several threads.
final class Failures: Sendable {
  private let number = Atomic<Int>(0)
  var count: Int { number.load(ordering: .relaxed) }
  func add() { number.add(1, ordering: .relaxed) }
}

/// GRIB files that are cut short, changed or something else: fields or an error that names the file, never a crash.
@Suite struct DamagedGRIBTests {
  static let files = ["scanning1", "scanning2", "ensemble", "several", "packings", "reduced", "names"]

  private func readAll(_ path: String) throws {
    let store = try openStore(path)
    for (name, info) in store.arrays where info.count < 1 << 20 {
      do { _ = try store.read(name) } catch let error as JigsawError { #expect(error.place.hasPrefix(path)) }
    }
  }

  @Test(arguments: files) func cutFilesAreRefused(name: String) throws {
    let folder = try TemporaryFolder()
    let whole = try Files.read(GRIBGoldens.path(name))
    let path = "\(folder.path)/cut.grib"
    for share in [0.01, 0.3, 0.6, 0.9, 0.99] {
      try Files.writeAtomically(Array(whole[..<Int(Double(whole.count) * share)]), to: path)
      let error = #expect(throws: JigsawError.self, "\(share)") { try readAll(path) }
      #expect(error?.place.hasPrefix(path) == true, "\(share)")
    }
  }

  /// Headers changed as often as numbers.
  @Test(arguments: files) func changedBytesNeverCrash(name: String) throws {
    let folder = try TemporaryFolder()
    let whole = try Files.read(GRIBGoldens.path(name))
    let path = "\(folder.path)/changed.grib"
    for number in 0..<25 {
      var mutator = Mutator(seed: 8, number: number)
      try OutputFile(replacing: path).write(mutator.changed(whole, header: 200))
      do { try readAll(path) } catch let error as JigsawError {
        #expect(error.place.hasPrefix(path) || error.place == "ecCodes")
      }
    }
  }

  /// Found by fuzz-stores: ecCodes takes an unknown unit of time from beyond its tables, and counts days for minutes.
  @Test func unknownUnitsOfTimeAreLeftOut() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/unit.grib"
    var bytes = try Files.read(GRIBGoldens.path("scanning2"))
    // Octet 18 is the unit, the next four are the time.
    let product = section(4, bytes)
    bytes[product + 17] = 9
    bytes[product + 21] = 1
    try Files.writeAtomically(bytes, to: path)
    #expect(try openStore(path).notes == ["1 field of t left out: unit of time 9 of edition 2 is not known"])
  }

  /// Found by fuzz-stores: ecCodes reads beyond the message for groups that it can't hold.
  @Test func absurdNumbersOfGroupsAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/groups.grib"
    var bytes = try Files.read(GRIBGoldens.path("packings"))
    // A section 5 of 47 bytes, for 72 points by template 2: octets 32 to 35 have the number of groups.
    let head: [UInt8] = [0, 0, 0, 47, 5, 0, 0, 0, 72, 0, 2]
    let section = try #require(bytes.indices.first { bytes[$0...].starts(with: head) })
    bytes[section + 31] = 0x80
    try Files.writeAtomically(bytes, to: path)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.problem == "is damaged" && error?.found?.contains("groups of 72 numbers") == true)
  }

  /// Where a section of a file's first message begins.
  private func section(_ number: UInt8, _ bytes: [UInt8]) -> Int {
    var place = 16
    while bytes[place + 4] != number { place += bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
    return place
  }

  /// Found by fuzz-stores: ecCodes makes all longitudes of a row before it looks whether there are so many numbers.
  @Test(arguments: [[0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 2, 0]] as [[UInt8]])
  func absurdRowsAreRefused(columns: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/rotated.grib"
    // Template 41, a rotated Gaussian grid, without a list of rows; in place of the list its pole.
    var bytes = try Files.read(GRIBGoldens.path("reduced"))
    let grid = section(3, bytes)
    bytes.replaceSubrange(grid + 10..<grid + 14, with: [0, 0, 0, 41])
    bytes.replaceSubrange(grid + 30..<grid + 34, with: columns)
    try Files.writeAtomically(bytes, to: path)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.problem == "has a grid that can't be" && error?.found?.hasPrefix("rotated_gg, Ni ") == true)
  }

  /// Found by fuzz-stores: ecCodes writes as many points as the rows of a reduced latitude–longitude grid say, wherever that is.
  @Test(arguments: [
    // Numbers of 128 bytes; one row longer than it is.
    (at: 10, value: 128, found: "reduced_ll without a list of rows"),
    (at: 73, value: 99, found: "reduced_ll, 8 rows of "),
  ])
  func rowsOfOtherPointsAreRefused(change: (at: Int, value: UInt8, found: String)) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/rows.grib"
    var bytes = try Files.read(GRIBGoldens.path("reduced"))
    let grid = section(3, bytes)
    // Template 0 with a list of rows.
    bytes.replaceSubrange(grid + 12..<grid + 14, with: [0, 0])
    #expect(throws: Never.self) {
      try Files.writeAtomically(bytes, to: path)
      _ = try openStore(path)
    }
    bytes[grid + change.at] = change.value
    try Files.writeAtomically(bytes, to: path)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.found?.hasPrefix(change.found) == true, "\(error.map { "\($0)" } ?? "none")")
  }

  /// ecCodes takes the latitudes of further rows from whatever lies in memory there.
  @Test func moreRowsThanAGaussianGridHasAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/rows.grib"
    var bytes = try Files.read(GRIBGoldens.path("reduced"))
    // Octets 68 to 71.
    let number = section(3, bytes) + 67
    #expect(Array(bytes[number..<number + 4]) == [0, 0, 0, 4])
    bytes[number + 3] = 3
    try Files.writeAtomically(bytes, to: path)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.found == "reduced_gg of number 3, 8 rows")
  }

  @Test func absurdSizesAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/large.grib"
    // Points of the grid, octets 7 to 10 of section 3, which starts at byte 37 without a local section.
    var bytes = try Files.read(GRIBGoldens.path("scanning2"))
    for i in 0..<4 { bytes[37 + 6 + i] = 0xFF }
    try Files.writeAtomically(bytes, to: path)
    let error = #expect(throws: JigsawError.self) { try openStore(path) }
    #expect(error?.place == "\(path): message at byte 0" && error?.found == "4294967295 points in a field")
  }
}

extension OutputFile {
  fileprivate func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
    try close()
  }
}
