/// Endings of names that tell the format of a store, in small letters or capitals. The first of each is that of names that are
/// made up.
public enum StoreEndings {
  public static let zarr = [".zarr"]
  public static let netCDF = [".nc", ".nc4", ".netcdf"]
  public static let grib = [".grib2", ".grib", ".grb2", ".grb"]
}

extension String {
  public func ends(in endings: [String]) -> Bool { endings.contains(where: lowercased().hasSuffix) }
}
