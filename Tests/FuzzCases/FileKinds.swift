import Basics
import CZlib
import Stores
import TestSupport

/// Files that libraries of the system read: NetCDF and GRIB.
struct FileKind: FuzzKind {
  private let path: String
  private let files: [[UInt8]]

  init(_ folder: String, _ suffix: String, _ source: String, _ names: [String]) throws {
    path = "\(folder)/a.\(suffix)"
    files = try names.map { try Files.read("\(source)/\($0).\(suffix)") }
  }

  func run(_ mutator: inout Mutator) throws -> Bool {
    let whole = mutator.pick(files)
    try OutputFile.write(mutator.changed(whole, header: mutator.pick([64, 400, 2_048])), to: path)
    return try Probe.run { try openStore(path) }
  }
}

/// ZIP archives: of a Zarr group, and one of Python's.
struct ZipKind: FuzzKind {
  private let path: String
  private let archives: [[UInt8]]

  init(_ folder: String) throws {
    path = "\(folder)/a.zip"
    let values = try Values.folder(Goldens.path("weatherbench.zarr"))
    archives = [
      ZipKind.archive(Values.anemoi(format: 3), isDeflated: true),
      ZipKind.archive(Values.filtered(), isDeflated: false),
      ZipKind.archive(values, isDeflated: false), ZipKind.archive(values, isDeflated: true),
      try Files.read(Goldens.path("entries.zip")),
    ]
  }

  func run(_ mutator: inout Mutator) throws -> Bool {
    var bytes = mutator.pick(archives)
    // The directory stands at the end.
    if mutator.isOne(in: 2) {
      bytes = Array(mutator.changed(bytes.reversed(), header: mutator.pick([64, 1_024])).reversed())
    } else {
      bytes = mutator.changed(bytes)
    }
    try OutputFile.write(bytes, to: path)
    do {
      // Names of entries also without the metadata that lead to them.
      let zip = try ZipStorage(path)
      for key in zip.list("").prefix(8) { _ = try zip.read(key, .last(3)) }
    } catch is JigsawError {}
    return try Probe.run { try openStore(path) }
  }

  /// An archive of entries that are stored or deflated (APPNOTE 6.3).
  static func archive(_ values: [String: [UInt8]], isDeflated: Bool) -> [UInt8] {
    func number(_ value: Int, _ width: Int) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    var (entries, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      let stored = isDeflated ? Encoders.deflated(value) : value
      let common =
        number(20, 2) + number(0, 2) + number(isDeflated ? 8 : 0, 2) + number(0, 4)
        + number(Int(crc32_z(0, value, value.count)), 4) + number(stored.count, 4) + number(value.count, 4)
        + number(name.utf8.count, 2)
      directory +=
        number(0x0201_4B50, 4) + number(20, 2) + common + number(0, 12) + number(entries.count, 4) + Array(name.utf8)
      entries += number(0x0403_4B50, 4) + common + number(0, 2) + Array(name.utf8) + stored
    }
    return entries + directory + number(0x0605_4B50, 4) + number(0, 4) + number(values.count, 2)
      + number(values.count, 2)
      + number(directory.count, 4) + number(entries.count, 4) + number(0, 2)
  }
}

extension OutputFile {
  /// Without syncing, which takes most of the time of small files.
  static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try OutputFile(replacing: path)
    try bytes.withUnsafeBytes { try file.write($0) }
    try file.close()
  }
}
