#include "cli/program.h"

int main(int argc, char** argv) { return tarmac::cli::run_program(argc, argv); }
