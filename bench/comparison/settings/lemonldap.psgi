# The portal of LemonLDAP::NG as a CAS server, as starman runs it for bench/peers. PEERS_FOLDER is where it keeps its
# configuration and its sessions, PEERS_PORT where it listens, PEERS_SERVICE who may log in. Its people are those of the
# Demo back end, whose passwords are their names, without a hash.

use strict;
use warnings;

use JSON qw(to_json);

my $folder = $ENV{PEERS_FOLDER};
my $portal = "http://127.0.0.1:$ENV{PEERS_PORT}/";

for my $name (qw(conf cache sessions sessions/lock psessions psessions/lock)) {
    next if -d "$folder/$name";
    mkdir "$folder/$name" or die "$folder/$name: $!\n";
}

sub write_file {
    my ( $name, $text ) = @_;
    open my $file, '>', "$folder/$name" or die "$name: $!\n";
    print $file $text;
    close $file or die "$name: $!\n";
}

write_file( 'lemonldap-ng.ini', <<"INI" );
[all]
logLevel = error
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Null
[configuration]
type = File
dirName = $folder/conf
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
INI

my %store = ( generateModule => 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256' );
write_file(
    'conf/lmConf-1.json',
    to_json(
        {
            cfgNum                     => 1,
            cfgAuthor                  => 'bench',
            cfgDate                    => 1,
            cfgVersion                 => '2.16.1',
            key                        => $ENV{PEERS_SECRET},
            domain                     => '127.0.0.1',
            portal                     => $portal,
            cookieName                 => 'lemonldap',
            securedCookie              => 0,
            authentication             => 'Demo',
            userDB                     => 'Same',
            passwordDB                 => 'Demo',
            registerDB                 => 'Null',
            demoExportedVars           => { cn => 'cn', mail => 'mail', uid => 'uid' },
            whatToTrace                => '_whatToTrace',
            requireToken               => 1,
            captcha_login_enabled      => 0,
            captcha_mail_enabled       => 0,
            captcha_register_enabled   => 0,
            portalCheckLogins          => 0,
            portalDisplayRegister      => 0,
            portalDisplayResetPassword => 0,
            globalStorage              => 'Apache::Session::File',
            globalStorageOptions       => { %store, Directory => "$folder/sessions", LockDirectory => "$folder/sessions/lock" },
            persistentStorage          => 'Apache::Session::File',
            persistentStorageOptions   => { Directory => "$folder/psessions", LockDirectory => "$folder/psessions/lock" },
            localSessionStorage        => 'Cache::FileCache',
            localSessionStorageOptions => { cache_root => "$folder/cache", namespace => 'sessions', default_expires_in => 600 },
            locationRules              => {},
            exportedHeaders            => {},
            exportedVars               => {},
            groups                     => {},
            macros                     => { _whatToTrace => '$uid' },
            issuerDBCASActivation      => 1,
            issuerDBCASPath            => '^/cas/',
            issuerDBCASRule            => 1,
            casAccessControlPolicy     => 'error',
            casAppMetaDataOptions      => { app => { casAppMetaDataOptionsService => $ENV{PEERS_SERVICE} } },
            casAppMetaDataExportedVars => { app => { mail => 'mail', cn => 'cn', uid => 'uid' } },
        }
    )
);
$ENV{LLNG_DEFAULTCONFFILE} = "$folder/lemonldap-ng.ini";

# The portal loads the module that draws captchas even when it shows none, and Debian only recommends it.
$INC{'GD/SecurityImage.pm'} = __FILE__;
require Lemonldap::NG::Portal;
Lemonldap::NG::Portal->run( {} );
