import Basics

/// One field to be written: a forecast.
public struct GRIBFieldDefinition: Sendable {
  /// ECMWF's number of the variable.
  public let paramId: Int
  /// Nil at the surface, or wherever the variable has its place (2 m, mean sea level).
  public let levelHPa: Double?
  public let grid: GRIBOutputGrid
  public let baseTime: Timestamp
  public let leadHours: Int

  public init(
    paramId: Int, levelHPa: Double?, grid: GRIBOutputGrid, baseTime: Timestamp, leadHours: Int
  ) {
    self.paramId = paramId
    self.levelHPa = levelHPa
    self.grid = grid
    self.baseTime = baseTime
    self.leadHours = leadHours
  }
}

/// A file of GRIB 2 messages being written, one field after the other. It carries a temporary name until `finish`, so that what
/// has the final name is complete.
///
/// Fields are packed in 16 bits and compressed without loss (CCSDS), as ECMWF's own forecasts have been since 2023: errors stay below
/// a 65 000th of a field's range, far below those of any forecast, at less than half the size of FP32.
public final class GRIBWriter {
  public static let bitsPerValue = 16
  /// Memory that ecCodes takes for itself once it has packed a message (docs/results/planning/memory.md): definitions, tables, samples.
  public static let measuredLibraryBytes = 12_000_000
  private let path: String
  public let temporary: String
  private let file: OutputFile
  private var isDone = false

  public init(_ path: String) throws {
    self.path = path
    temporary = Temporary.name(for: path)
    try Files.createDirectory(Files.parent(of: path))
    file = try OutputFile(creating: temporary, shownAs: path)
  }

  deinit { if !isDone { abandon() } }

  /// Throws where GRIB has no words for a field, so that it is known before there are values.
  public func check(_ field: GRIBFieldDefinition) throws {
    let place = place(field)
    try GRIBLibrary.withNewMessage(place) { try GRIBWriter.describe(field, $0, place) }
  }

  /// Stands for a point without a value, which a bitmap leaves out.
  private static let missing = 1e36

  /// Writes the points of a grid in its order; what is NaN is left out.
  public func write(_ field: GRIBFieldDefinition, _ values: UnsafeBufferPointer<Float>) throws {
    precondition(values.count == field.grid.count)
    let place = place(field)
    try GRIBLibrary.withNewMessage(place) { message in
      try GRIBWriter.describe(field, message, place)
      // The sample's numbers must fit the grid before they can be packed in another way.
      let numbers = values.map { $0.isNaN ? GRIBWriter.missing : Double($0) }
      if numbers.contains(GRIBWriter.missing) {
        try message.set("missingValue", GRIBWriter.missing, place)
        try message.set("bitmapPresent", 1, place)
      }
      try message.set("values", numbers, place)
      try message.set("packingType", "grid_ccsds", place)
      try message.set("bitsPerValue", GRIBWriter.bitsPerValue, place)
      try message.set("values", numbers, place)
      try message.withBytes(place) { try file.write($0) }
    }
  }

  public func finish() throws {
    try complete()
    try publish()
  }

  /// Ends the file under its temporary name.
  public func complete() throws {
    try file.sync()
    try file.close()
  }

  /// Gives the file, once it is complete, its final name.
  public func publish() throws {
    try Files.replace(path, by: temporary)
    isDone = true
  }

  public func abandon() {
    isDone = true
    try? Files.remove(temporary)
  }

  private func place(_ field: GRIBFieldDefinition) -> String {
    "\(path): parameter \(field.paramId)" + (field.levelHPa.map { " at \(GRIBNames.text($0)) hPa" } ?? "")
  }

  // MARK: Keys

  private static func describe(_ field: GRIBFieldDefinition, _ message: GRIBMessage, _ place: String) throws {
    // Not an operational centre's: a forecast of whoever runs this program.
    for (key, value) in [
      ("centre", 255), ("subCentre", 0), ("localTablesVersion", 0), ("tablesVersion", 28),
      ("productionStatusOfProcessedData", 2),
      ("typeOfProcessedData", 1), ("significanceOfReferenceTime", 1), ("typeOfGeneratingProcess", 2),
      ("backgroundProcess", 255), ("generatingProcessIdentifier", 255),
    ] { try message.set(key, value, place) }
    try field.grid.describe(in: message, place)
    let time = field.baseTime.components
    try message.set("dataDate", time.year * 10_000 + time.month * 100 + time.day, place)
    try message.set("dataTime", time.hour * 100 + time.minute, place)
    try message.set("second", time.second, place)
    try describeParameter(field, message, place)
    try message.set("indicatorOfUnitOfTimeRange", 1, place)
    try message.set("forecastTime", field.leadHours, place)
    try requireWord(message.integer("paramId") == field.paramId, place)
    guard message.text("stepType") == "instant" else {
      throw JigsawError(
        place, "can't be written as GRIB: it is accumulated or averaged over a period that is not known here",
        remedy: "forecast to Zarr or NetCDF, or without this variable")
    }
  }

  private static func describeParameter(
    _ field: GRIBFieldDefinition, _ message: GRIBMessage, _ place: String
  ) throws {
    if field.levelHPa == nil {
      // The sample stands on a pressure level; what has a place of its own then overrides this one.
      try message.set("typeOfLevel", "surface", place)
      try message.set("level", 0, place)
    }
    do { try message.set("paramId", field.paramId, place) } catch { try requireWord(false, place) }
    guard let level = field.levelHPa else {
      // The sample's pressure is left on levels that have no number.
      if (message.integer("level") ?? 0) > 1_000 {
        try message.set("scaleFactorOfFirstFixedSurface", 0, place)
        try message.set("scaledValueOfFirstFixedSurface", 0, place)
      }
      return
    }
    if let whole = Int(exactly: level) {
      try message.set("typeOfLevel", "isobaricInhPa", place)
      try message.set("level", whole, place)
    } else {
      try message.set("typeOfLevel", "isobaricInPa", place)
      try message.set("level", level * 100, place)
    }
  }

  private static func requireWord(_ isKnown: Bool, _ place: String) throws {
    if isKnown { return }
    throw JigsawError(
      place, "can't be written as GRIB 2: the international tables have no such parameter",
      remedy: "forecast to Zarr or NetCDF, or without this variable")
  }
}
