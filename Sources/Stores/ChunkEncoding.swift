/// How chunks are compressed. Levels are those of the libraries.
public enum Compression: Sendable, Equatable {
  case none
  /// c-blosc: `compressor` is "lz4", "lz4hc", "zstd", "zlib" or "blosclz".
  case blosc(compressor: String = "lz4", level: Int = 5, shuffle: Shuffle = .bytes)
  case zstd(level: Int = 3)
  case gzip(level: Int = 5)
  /// Format 2 alone.
  case zlib(level: Int = 5)
  /// Format 2 alone.
  case lz4

  /// How Blosc sorts the bytes of numbers before it compresses them.
  public enum Shuffle: Int, Sendable {
    case none, bytes, bits
  }

  /// The default of xarray and WeatherBench 2.
  public static let standard = Compression.blosc()
}

/// How the chunks of a Zarr array are stored.
public struct ChunkEncoding: Sendable, Equatable {
  public var compression: Compression
  /// A checksum (CRC-32C) behind each chunk; format 3 alone.
  public var hasChecksum: Bool
  /// Extents of shards, files of several chunks, multiples of the chunks' extents; format 3 alone. Whole shards are written
  /// at once.
  public var shards: [Int]?
  /// Whether the first index of a chunk runs fastest.
  public var isFortranOrder: Bool
  /// Whether a number's most significant byte comes first.
  public var isBigEndian: Bool
  /// Between the indices in a chunk's name; nil: "." in format 2, "/" (a folder for each index) in format 3.
  public var separator: Separator?

  public enum Separator: String, Sendable {
    case dot = "."
    case slash = "/"
  }

  public init(
    _ compression: Compression = .standard, hasChecksum: Bool = false, shards: [Int]? = nil,
    isFortranOrder: Bool = false, isBigEndian: Bool = false, separator: Separator? = nil
  ) {
    self.compression = compression
    self.hasChecksum = hasChecksum
    self.shards = shards
    self.isFortranOrder = isFortranOrder
    self.isBigEndian = isBigEndian
    self.separator = separator
  }
}

/// The meaning of an array's elements.
public enum ElementMeaning: Sendable, Equatable {
  case number
  /// 0 and 1 as uint8.
  case truth
  /// int64 counts of a unit of NumPy's ("ns", "us", "ms", "s", "m", "h", "D") since 1970; the least one is "not a time".
  case date(unit: String)
  case timeDifference(unit: String)
}
