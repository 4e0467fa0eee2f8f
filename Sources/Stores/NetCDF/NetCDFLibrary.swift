import Basics
import CNetCDF
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The one door to netCDF-C, which is not safe for several threads (nor is HDF5 below it).
enum NetCDFLibrary {
  private static let lock = Mutex(())

  static func withLock<R>(_ body: () throws -> R) rethrows -> R {
    try lock.withLock { _ in
      _ = silenceHDF5?(0, nil, nil)
      return try body()
    }
  }

  /// The same for what reads a file, which may be damaged.
  /// - Parameter byteCount: how much is decoded.
  static func withLock<R>(_ fault: LibraryFault, byteCount: Int = 0, _ body: () throws -> R) rethrows -> R {
    try withLock { try fault.guarding(byteCount: byteCount, body) }
  }

  // HDF5 is a library of netCDF's that may not be there at all, so its functions are looked up by name.
  private typealias SetErrorHandler = @convention(c) (Int64, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Int32
  private typealias Plain = @convention(c) () -> Int32

  /// H5Eset_auto2(H5E_DEFAULT, NULL, NULL): no dumps of HDF5's error stack on stderr. netCDF-C asks for that, too, but
  /// HDF5 keeps the setting per thread, so it must be made on every thread that reads.
  private static let silenceHDF5: SetErrorHandler? = {
    // HDF5's clean-up at exit crashes when a file could not be closed because the disk is full. Files are closed by
    // their owners, so nothing is lost without it.
    if let stay = dlsym(nil, "H5dont_atexit") { _ = unsafeBitCast(stay, to: Plain.self)() }
    return dlsym(nil, "H5Eset_auto2").map { unsafeBitCast($0, to: SetErrorHandler.self) }
  }()

  /// Throws the library's sentence when `status` is a failure.
  static func check(
    _ status: Int32, _ place: @autoclosure () -> String, _ action: String, remedy: String? = nil
  ) throws {
    if status != NC_NOERR {
      throw JigsawError(place(), "can't \(action) (\(String(cString: nc_strerror(status))))", remedy: remedy)
    }
  }

  static func scalarType(_ type: nc_type) -> ScalarType? {
    switch type {
    case NC_BYTE: .int8
    case NC_UBYTE: .uint8
    case NC_SHORT: .int16
    case NC_USHORT: .uint16
    case NC_INT: .int32
    case NC_UINT: .uint32
    case NC_INT64: .int64
    case NC_UINT64: .uint64
    case NC_FLOAT: .float32
    case NC_DOUBLE: .float64
    default: nil
    }
  }

  static func netCDFType(_ type: ScalarType) -> nc_type {
    switch type {
    case .int8: NC_BYTE
    case .uint8: NC_UBYTE
    case .int16: NC_SHORT
    case .uint16: NC_USHORT
    case .int32: NC_INT
    case .uint32: NC_UINT
    case .int64: NC_INT64
    case .uint64: NC_UINT64
    case .float16, .float32: NC_FLOAT  // NetCDF has no half precision
    case .float64: NC_DOUBLE
    }
  }

  /// The library's version, for example "4.9.0".
  static var version: String {
    withLock { String(String(cString: nc_inq_libvers()).split(separator: " ").first ?? "") }
  }
}

/// The version of netCDF-C that is loaded.
public var netCDFVersion: String { NetCDFLibrary.version }
