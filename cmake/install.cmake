# `cmake --install` writes a prefix that can be moved: bin/tarmac, include/tarmac, and lib/tarmac with our static libraries and
# those dependencies that no system package brings (onnx, OpenVINO's CPU part with its oneTBB, ONNX Runtime).

include(CMakePackageConfigHelpers)
set(vendor_dir ${CMAKE_INSTALL_LIBDIR}/tarmac)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tarmac)

# tarmac::tarmac is what users link: every library of this tree but that of the program, whose dependencies they need not have.
add_library(tarmac_all INTERFACE)
set_target_properties(tarmac_all PROPERTIES EXPORT_NAME tarmac)
target_link_options(tarmac_all INTERFACE LINKER:--disable-new-dtags)
set(libraries tarmac_all)
foreach(folder IN LISTS TARMAC_FOLDERS)
  if(TARGET tarmac_${folder} AND NOT folder STREQUAL "cli")
    target_link_libraries(tarmac_all INTERFACE tarmac_${folder})
    list(APPEND libraries tarmac_${folder})
  endif()
endforeach()
install(TARGETS ${libraries} EXPORT tarmacTargets ARCHIVE DESTINATION ${vendor_dir})
install(EXPORT tarmacTargets NAMESPACE tarmac:: DESTINATION ${config_dir})
install(DIRECTORY include/tarmac DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

if(TARGET tarmac)
  set_target_properties(tarmac PROPERTIES INSTALL_RPATH "$ORIGIN/../${vendor_dir}")
  install(TARGETS tarmac RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# What comes from the cache, flat beside our libraries.
install(FILES ${TARMAC_ONNX_LIB}/libonnx.a ${TARMAC_ONNX_LIB}/libonnx_proto.a DESTINATION ${vendor_dir})
if(TARMAC_HAS_OPENVINO)
  file(GLOB openvino_libs
    ${TARMAC_OPENVINO_LIB}/libopenvino.so.* ${TARMAC_OPENVINO_LIB}/libopenvino_intel_cpu_plugin.so
    ${TARMAC_OPENVINO_LIB}/libopenvino_onnx_frontend.so.* ${TARMAC_OPENVINO_LIB}/libopenvino_ir_frontend.so.*
    ${TARMAC_OPENVINO_LIB}/libtbb*.so.* ${TARMAC_OPENVINO_LIB}/libhwloc.so.*)
  install(FILES ${openvino_libs} DESTINATION ${vendor_dir})
endif()
if(TARMAC_HAS_ONNXRUNTIME)
  install(DIRECTORY ${TARMAC_ONNXRUNTIME_LIB}/ DESTINATION ${vendor_dir})
endif()

# The installed package names its dependencies with the same files as this build.
install(FILES cmake/deps/onnx.cmake cmake/deps/onnxruntime.cmake cmake/deps/opencv.cmake cmake/deps/openvino.cmake
  cmake/deps/system.cmake DESTINATION ${config_dir}/deps)
configure_package_config_file(cmake/tarmacConfig.cmake.in ${CMAKE_BINARY_DIR}/tarmacConfig.cmake INSTALL_DESTINATION ${config_dir}
  PATH_VARS vendor_dir)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tarmacConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tarmacConfig.cmake ${CMAKE_BINARY_DIR}/tarmacConfigVersion.cmake DESTINATION ${config_dir})
