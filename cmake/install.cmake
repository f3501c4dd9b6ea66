# `cmake --install` writes a prefix that can be moved: bin/tarmac, include/tarmac, and lib/tarmac with our static libraries and
# those dependencies that no system package brings (onnx, OpenVINO's CPU part with its oneTBB, ONNX Runtime).

include(CMakePackageConfigHelpers)
set(vendor_dir ${CMAKE_INSTALL_LIBDIR}/tarmac)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tarmac)

# tarmac::tarmac is what users link: every library of this tree but that of the program, whose dependencies they need not have.
add_library(tarmac_all INTERFACE)
set_target_properties(tarmac_all PROPERTIES EXPORT_NAME tarmac)
target_link_options(tarmac_all INTERFACE LINKER:--disable-new-dtags)
set(libraries)
foreach(folder IN LISTS TARMAC_FOLDERS)
  if(TARGET tarmac_${folder} AND NOT folder STREQUAL "cli")
    target_link_libraries(tarmac_all INTERFACE tarmac_${folder})
    list(APPEND libraries tarmac_${folder})
  endif()
endforeach()
install(TARGETS tarmac_all ${libraries} EXPORT tarmacTargets ARCHIVE DESTINATION ${vendor_dir})
install(EXPORT tarmacTargets NAMESPACE tarmac:: DESTINATION ${config_dir})
install(DIRECTORY include/tarmac DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# What a test of the installed package needs built.
add_custom_target(installed DEPENDS ${libraries})

if(TARGET tarmac)
  add_dependencies(installed tarmac)
  set_target_properties(tarmac PROPERTIES INSTALL_RPATH "$ORIGIN/../${vendor_dir}")
  install(TARGETS tarmac RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()

# What `tarmac deploy` exports other frameworks' models with, in a Python that has no package tarmac.
install(DIRECTORY python/tarmac DESTINATION ${vendor_dir}/python FILES_MATCHING PATTERN "*.py" PATTERN "__pycache__" EXCLUDE)

# What comes from the cache, flat beside our libraries.
install(FILES ${TARMAC_ONNX_LIB}/libonnx.a ${TARMAC_ONNX_LIB}/libonnx_proto.a DESTINATION ${vendor_dir})
if(TARMAC_HAS_OPENVINO)
  file(GLOB openvino_libs
    ${TARMAC_OPENVINO_LIB}/libopenvino.so.* ${TARMAC_OPENVINO_LIB}/libopenvino_intel_cpu_plugin.so
    ${TARMAC_OPENVINO_LIB}/libopenvino_onnx_frontend.so.* ${TARMAC_OPENVINO_LIB}/libopenvino_ir_frontend.so.*
    ${TARMAC_OPENVINO_LIB}/libtbb*.so.* ${TARMAC_OPENVINO_LIB}/libhwloc.so.*)
  install(FILES ${openvino_libs} DESTINATION ${vendor_dir} COMPONENT runtime)
endif()
if(TARMAC_HAS_ONNXRUNTIME)
  # Under the name that programs ask for alone: a wheel holds no links, and would carry it once for each.
  file(REAL_PATH ${TARMAC_ONNXRUNTIME_LIB}/libonnxruntime.so.1 onnxruntime_lib)
  install(FILES ${onnxruntime_lib} DESTINATION ${vendor_dir} RENAME libonnxruntime.so.1 COMPONENT runtime)
endif()

# The installed package names its dependencies with the same files as this build.
install(FILES cmake/deps/onnx.cmake cmake/deps/onnxruntime.cmake cmake/deps/opencv.cmake cmake/deps/openvino.cmake
  cmake/deps/system.cmake DESTINATION ${config_dir}/deps)
configure_package_config_file(cmake/tarmacConfig.cmake.in ${CMAKE_BINARY_DIR}/tarmacConfig.cmake INSTALL_DESTINATION ${config_dir}
  PATH_VARS vendor_dir)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tarmacConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tarmacConfig.cmake ${CMAKE_BINARY_DIR}/tarmacConfigVersion.cmake DESTINATION ${config_dir})
