import Basics
import Checkpoints
import Datasets
import Stores

/// Files and folders that outputs never replace.
public enum Replaceable {
  /// - Parameters:
  ///   - inputs: paths and patterns of what is read.
  ///   - run: the run's folder; nil: there is none.
  /// - Throws: when the output is or holds something that is read, the run, or the working folder.
  static func require(_ output: String, inputs: [String], run: String? = nil) throws {
    func refusal(_ what: String) -> JigsawError { JigsawError(output, what, remedy: "name another output") }
    for input in try inputs.flatMap({ try expand($0) }) where isOrHolds(output, input) {
      throw refusal("is where the data come from (\(input))")
    }
    if let run {
      if isOrHolds(output, run) { throw refusal("holds the run (\(run))") }
      let checkpoints = RunFolder(run).checkpoints().path
      var parent = Files.parent(of: output)
      while !Files.exists(parent), parent != Files.parent(of: parent) { parent = Files.parent(of: parent) }
      if isOrHolds(checkpoints, parent) {
        throw refusal("lies among the run's checkpoints (\(checkpoints))")
      }
    }
    if isOrHolds(output, ".") { throw refusal("holds the working folder") }
  }

  /// Whether a path is another, or a folder above it.
  private static func isOrHolds(_ output: String, _ other: String) -> Bool {
    guard Files.exists(output), Files.exists(other) else { return false }
    // The folders that hold a link, and those that hold what it leads to.
    for start in [Files.absolute(other), "\(Files.absolute(Files.parent(of: other)))/."] {
      var path = start
      while true {
        if Files.isSame(path, output) { return true }
        let parent = Files.parent(of: path)
        if parent == path { break }
        path = parent
      }
    }
    return false
  }

  /// One file.
  /// - Throws: when a folder has its name.
  static func requireFile(_ path: String) throws {
    guard Files.isDirectory(path) else { return }
    throw JigsawError(path, "is a folder, and the output is one file", remedy: "name another --output")
  }

  /// A store of forecasts: nothing but an earlier one, which says so inside, or of GRIB beside, is replaced.
  /// - Throws: when something else has this name.
  static func requireForecast(_ path: String, isGRIB: Bool) throws {
    guard Files.exists(path), try !Files.isDirectory(path) || !Files.list(path).isEmpty else { return }
    guard try isGRIB ? Lineage.beside(path) != nil : isForecastStore(path) else {
      throw JigsawError(
        path, "already exists and is no forecast that 'jigsaw forecast' wrote",
        expected: isGRIB ? "\(Lineage.sidecar(path)) of this very file beside it" : "a record of its model in it",
        remedy: "name another --output, or remove it")
    }
  }

  /// Forecasts of versions that kept no lineage name the program as their source.
  private static func isForecastStore(_ path: String) -> Bool {
    guard let attributes = (try? openStore(path))?.attributes else { return false }
    return attributes[Lineage.attribute] != nil || attributes["source"]?.text?.hasPrefix("Jigsaw ") == true
  }

  /// A folder of forecasts, a NetCDF file for each.
  /// - Throws: when a folder of this name holds anything else.
  static func requireForecasts(_ path: String) throws {
    guard Files.isDirectory(path) else { return }
    for name in try Files.list(path) where !Temporary.isOne(name) {
      guard !isForecast("\(path)/\(name)", name) else { continue }
      throw JigsawError(
        path, "is a folder that holds other things than forecasts",
        expected: "NetCDF files that 'jigsaw forecast' wrote",
        found: name, remedy: "name another --output")
    }
  }

  /// 20020320T000000.nc with the record of what it was made from.
  private static func isForecast(_ path: String, _ name: String) -> Bool {
    let pieces = name.split(separator: "T", omittingEmptySubsequences: false)
    let isNamed =
      pieces.count == 2 && pieces[0].count == 8 && pieces[1].count == 9 && pieces[1].hasSuffix(".nc")
      && (pieces[0] + pieces[1].dropLast(3)).allSatisfy(\.isNumber)
    return isNamed && (try? openStore(path))?.attributes[Lineage.attribute]?.text != nil
  }

  /// A folder of files that one command writes.
  ///
  /// - Parameters:
  ///   - mark: a file that all of them have.
  ///   - isOwn: whether another file or folder, by its name, is one of the command's or of later ones on what it made.
  /// - Throws: when a folder of this name holds anything else.
  static func requireFolder(_ path: String, mark: String, isOwn: (String) throws -> Bool) throws {
    guard Files.isDirectory(path) else { return }
    let there = try Files.list(path).filter { !Temporary.isOne($0) }.sorted()
    let other = try there.first { try $0 != mark && !isOwn($0) }
    guard let found = other ?? (there.contains(mark) ? nil : there.first) else { return }
    throw JigsawError(
      path, "is a folder that holds other things than this command writes", expected: "\(mark) and what belongs to it",
      found: found, remedy: "name another folder")
  }

  /// A page of `jigsaw report`: nothing but an earlier one is replaced.
  /// - Throws: when something else has this name.
  static func requirePage(_ path: String) throws {
    try requireMarked(path, by: ["<!doctype html>", "Jigsaw report</title>"], what: "report")
  }

  /// A file of text: nothing but an earlier one of its kind is replaced.
  ///
  /// - Parameter marks: pieces of text that all files of the kind have within their first 4 096 bytes, the first of them at the start.
  /// - Throws: when something else has this name.
  static func requireMarked(_ path: String, by marks: [String], what: String) throws {
    try requireFile(path)
    guard let start = try Files.readIfPresent(path, atMost: 4_096), !start.isEmpty else { return }
    let text = String(decoding: start, as: UTF8.self)
    guard text.hasPrefix(marks[0]), marks.allSatisfy(text.contains) else {
      throw JigsawError(path, "already exists and is no \(what)", remedy: "name another --output")
    }
  }

  /// An answer as a document: nothing but an earlier answer of the same kind is replaced.
  /// - Throws: when something else has this name.
  public static func requireAnswer(_ path: String, like document: String) throws {
    guard Files.exists(path) else { return }
    func refusal(_ found: String) -> JigsawError {
      JigsawError(
        path, "already exists and is no earlier answer of this command", found: found, remedy: "name another file")
    }
    if Files.isDirectory(path) { throw refusal("a folder") }
    let kind = try JSONValue(parsing: Array(document.utf8), place: "the answer")["format"]?.string
    let earlier = try Files.read(path, atMost: 64 << 20)
    guard let found = try? JSONValue(parsing: earlier, place: path), found["format"]?.string == kind, kind != nil else {
      throw refusal("a file of \(Files.size(path) ?? 0) bytes")
    }
  }
}
